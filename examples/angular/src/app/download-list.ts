import { Component, inject } from "@angular/core";
import { Downloads } from "./downloads";
import { errorWords } from "./error-words";
import { byteSize, progressWords } from "./progress-words";

/** Shows the progress of each download of this session, and a button to cancel it. */
@Component({
  selector: "app-download-list",
  templateUrl: "./download-list.html",
  styleUrl: "./download-list.css",
})
export class DownloadList {
  protected readonly downloads = inject(Downloads);
  protected readonly byteSize = byteSize;
  protected readonly errorWords = errorWords;
  protected readonly progressWords = progressWords;
}
