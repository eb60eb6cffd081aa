/**
 * Saves a checkpoint in ./checkpoints with a bar of its progress, and prints its SHA-256 as
 * `sha256sum --check` takes it.
 *
 *     deno task example:save examples/save_with_progress.ts [CHECKPOINT_PATH]
 */
import { saveArchive$, type SaveEvent } from "@hpcai/rx/fs";
import { distinctUntilChanged, map } from "rxjs";
import { archivePath } from "./archive_path.ts";
import { connect } from "./connect.ts";

const [checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010"] =
  Deno.args;

saveArchive$(connect({ archiveBytes: 64 * 1024 ** 2 }), checkpointPath, archivePath(checkpointPath))
  .pipe(
    map(line),
    distinctUntilChanged(),
  ).subscribe((line) => console.log(line));

function line(event: SaveEvent): string {
  switch (event.type) {
    case "preparing":
      return "The server builds the archive …";
    case "restart":
      return `Restarting from the first byte: ${event.reason}`;
    case "progress":
      return bar(event.total ? event.loaded / event.total : 0);
    case "complete":
      return `${event.sha256}  ${event.path}`;
  }
}

function bar(fraction: number): string {
  const width = Math.floor(fraction * 40);
  return `[${"#".repeat(width).padEnd(40)}] ${Math.floor(fraction * 100)} %`;
}
