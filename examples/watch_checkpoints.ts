/**
 * Watches the checkpoints of a training run until it has the given one.
 *
 *     deno task example examples/watch_checkpoints.ts [TRAINING_RUN_ID [CHECKPOINT_ID [SECONDS]]]
 *
 * SECONDS is the polling interval.
 */
import { takeWhile } from "rxjs";
import { connect } from "./connect.ts";

const [
  trainingRunId = "eb78693b-380d-40f8-a709-ffe0da185718",
  checkpointId = "final",
  seconds = "10",
] = Deno.args;

connect().watchCheckpoints$(trainingRunId, { intervalMs: Number(seconds) * 1000 }).pipe(
  takeWhile(({ type, value }) => type === "removed" || value.checkpointId !== checkpointId, true),
).subscribe(({ type, value }) => {
  console.log(`${type}: ${value.checkpointType} ${value.checkpointId}`);
});
