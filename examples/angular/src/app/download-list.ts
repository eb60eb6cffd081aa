import { Component, inject } from "@angular/core";
import { Downloads } from "./downloads";
import { errorWords } from "./error-words";
import { byteSize, progressWords } from "./progress-words";

/** The downloads of this session: how far they are, and a button to stop each. */
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
