import type { Checkpoint, WatchEvent } from "@hpcai/rx";
import { type OperatorFunction, scan } from "rxjs";

/** Collects watch events into the current list of checkpoints: latest first, those without a time last. */
export function collectCheckpoints(): OperatorFunction<
  WatchEvent<Checkpoint>,
  readonly Checkpoint[]
> {
  return scan((checkpoints: readonly Checkpoint[], { type, value }) => {
    const others = checkpoints.filter((other) => other.checkpointPath !== value.checkpointPath);
    return type === "removed"
      ? others
      : [...others, value].sort((a, b) => (b.time?.getTime() ?? 0) - (a.time?.getTime() ?? 0));
  }, []);
}
