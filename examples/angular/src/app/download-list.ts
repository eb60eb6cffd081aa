import { Component, inject } from "@angular/core";
import { ByteSizePipe } from "./byte-size.pipe";
import { Downloads } from "./downloads";
import { errorWords } from "./error-words";
import { TimeLeftPipe } from "./time-left.pipe";

/** The downloads of this session: how far they are, and a button to stop each. */
@Component({
  selector: "app-download-list",
  imports: [ByteSizePipe, TimeLeftPipe],
  templateUrl: "./download-list.html",
  styleUrl: "./download-list.css",
})
export class DownloadList {
  protected readonly downloads = inject(Downloads);
  protected readonly errorWords = errorWords;
}
