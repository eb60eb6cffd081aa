import type { Checkpoint } from "../types.ts";
import type { Columns } from "./output.ts";
import { moment } from "./text.ts";

/** How checkpoints are listed. The path last: it is the longest, and what other commands take. */
export const COLUMNS: Columns<Checkpoint> = {
  "Checkpoint ID": ({ checkpointId }) => checkpointId,
  "Type": ({ checkpointType }) => checkpointType,
  "Created": ({ time }) => moment(time),
  "Path": ({ checkpointPath }) => checkpointPath,
};
