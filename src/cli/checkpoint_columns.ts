import type { Checkpoint } from "../types.ts";
import { formatTime } from "./format_value.ts";
import type { Columns } from "./output.ts";

/** The columns of a table of checkpoints. The path is last, since it is the longest. */
export const CHECKPOINT_COLUMNS: Columns<Checkpoint> = {
  "Checkpoint ID": ({ checkpointId }) => checkpointId,
  "Type": ({ checkpointType }) => checkpointType,
  "Created": ({ time }) => formatTime(time),
  "Path": ({ checkpointPath }) => checkpointPath,
};
