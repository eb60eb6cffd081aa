import { Component, inject } from "@angular/core";
import { RouterLink, RouterOutlet } from "@angular/router";
import { Announcer } from "./announcer";
import { Connection } from "./connection";
import { DownloadList } from "./download-list";
import { Downloads } from "./downloads";

const STATUS_WORDS = {
  connecting: "Connecting",
  connected: "Connected",
  reconnecting: "Reconnecting",
  offline: "Offline",
} as const;

/** The frame around all pages. */
@Component({
  selector: "app-root",
  imports: [DownloadList, RouterLink, RouterOutlet],
  templateUrl: "./app.html",
  styleUrl: "./app.css",
  host: { "(window:beforeunload)": "warnOfRunningDownloads($event)" },
})
export class App {
  readonly #downloads = inject(Downloads);
  protected readonly connection = inject(Connection).status;
  protected readonly announcement = inject(Announcer).message;
  protected readonly statusWords = STATUS_WORDS;

  protected warnOfRunningDownloads(event: BeforeUnloadEvent): void {
    if (this.#downloads.isRunning()) event.preventDefault();
  }
}
