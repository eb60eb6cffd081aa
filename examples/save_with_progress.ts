/**
 * Saves a checkpoint in ./checkpoints with a progress bar, and prints its SHA-256 in the format of
 * `sha256sum --check`.
 *
 *     deno task example:save examples/save_with_progress.ts [CHECKPOINT_PATH]
 */
import { saveArchive$, type SaveEvent } from "@hpcai/rx/fs";
import { distinctUntilChanged, map } from "rxjs";
import { connect } from "./connect.ts";
import { localPath } from "./local_path.ts";

const [checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010"] =
  Deno.args;
const outputPath = `${localPath(checkpointPath)}.tar.gz`;
const client = connect({ archiveBytes: 64 * 1024 ** 2 });

saveArchive$(client, checkpointPath, outputPath, { overwrite: true }).pipe(
  map(toLine),
  distinctUntilChanged(),
).subscribe((line) => console.log(line));

function toLine(event: SaveEvent): string {
  switch (event.type) {
    case "preparing":
      return "The server is preparing the archive …";
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
