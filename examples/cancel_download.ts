/**
 * Cancels a download after a second, or at Ctrl-C before that. `takeUntil` unsubscribes, which aborts
 * the request and the sink at once.
 *
 *     deno task example examples/cancel_download.ts [CHECKPOINT_PATH [SECONDS]]
 */
import { fromEventPattern, last, race, takeUntil, tap, timer } from "rxjs";
import { connect } from "./connect.ts";

const [
  checkpointPath = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010",
  seconds = "1",
] = Deno.args;

/** Discards about 100 MB a second. */
const slowSink = new WritableStream<Uint8Array>({
  write: (chunk) => new Promise((resolve) => setTimeout(resolve, chunk.byteLength / 1e5)),
  abort: (reason) => console.log(`The sink was aborted: ${reason.message}`),
});

const interrupt$ = fromEventPattern(
  (handler) => Deno.addSignalListener("SIGINT", handler),
  (handler) => Deno.removeSignalListener("SIGINT", handler),
);

connect({ archiveBytes: 10 * 1024 ** 3 }).download$(checkpointPath, { to: slowSink }).pipe(
  takeUntil(race(timer(Number(seconds) * 1000), interrupt$)),
  tap(({ loaded }) => console.log(megabytes(loaded))),
  last(),
).subscribe(({ type, loaded }) => {
  console.log(`${type === "complete" ? "Complete" : "Cancelled"} after ${megabytes(loaded)}`);
});

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
