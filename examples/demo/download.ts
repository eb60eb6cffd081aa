import type { Checkpoint, DownloadEvent } from "@hpcai/rx";
import {
  concatMap,
  defaultIfEmpty,
  defer,
  forkJoin,
  identity,
  last,
  type MonoTypeOperatorFunction,
  type Observable,
  pipe,
  takeUntil,
  takeWhile,
  timer,
} from "rxjs";
import { type ArchiveReport, checkArchive } from "./archive_check.ts";
import { mebibytes, progressLine } from "./progress_line.ts";
import { green, live, part } from "./screen.ts";
import { MAX_DOWNLOAD_BYTES, MAX_DOWNLOAD_MS, type Service } from "./service.ts";
import { table } from "./table.ts";

/** Downloads an archive, shows how far it is, checks it on the way and keeps nothing of it. */
export function download$(service: Service, checkpoint: Checkpoint): Observable<unknown> {
  return part(
    `Archive of ${checkpoint.checkpointId}`,
    "client.download$(checkpoint, { to: writable })",
    defer(() => {
      const { writable, report } = checkArchive();
      const end$ = service.client.download$(checkpoint, { to: writable }).pipe(
        service.fake === undefined ? bounded() : identity,
        live(progressLine),
        defaultIfEmpty(undefined), // Time was up before a byte came.
        last(),
      );
      return forkJoin([end$, report]);
    }),
  ).pipe(
    concatMap(async ([end, report]) => {
      if (report !== undefined) return await printReport(report, service, checkpoint);
      const limit = `${mebibytes(MAX_DOWNLOAD_BYTES)} or ${MAX_DOWNLOAD_MS / 1000} s`;
      console.log(`  Stopped at ${mebibytes(end?.loaded ?? 0)}: ${limit} are enough for a demo.`);
    }),
  );
}

/** Does not use up the bandwidth of a real service. */
function bounded(): MonoTypeOperatorFunction<DownloadEvent> {
  return pipe(
    takeUntil(timer(MAX_DOWNLOAD_MS)),
    takeWhile(({ type, loaded }) => type === "complete" || loaded <= MAX_DOWNLOAD_BYTES, true),
  );
}

async function printReport(
  { sha256, files }: ArchiveReport,
  { fake }: Service,
  checkpoint: Checkpoint,
): Promise<void> {
  const passed = (what: string) => console.log(`  ${green("✓")} ${what}`);
  passed("gzip's CRC-32 and length fit what was unpacked");
  if (fake !== undefined) {
    const { trainingRunId, checkpointId } = checkpoint;
    if (sha256 !== await fake.archive(trainingRunId, checkpointId).sha256()) {
      throw new Error("The archive that arrived is not the one that the server has");
    }
    passed("SHA-256 is that of the server's own copy");
  }
  console.log(`  SHA-256 ${sha256}`);
  const bytes = (text: string) => text.padStart("67,097,600".length);
  const rows = files.map(({ name, size }) => [bytes(size.toLocaleString("en-US")), name]);
  console.log(table([bytes("Bytes"), "File"], rows));
}
