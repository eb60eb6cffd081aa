// This module is browser compatible.

import type { StoredCheckpoint, StoredTrainingRun } from "./stored_training_run.ts";

/** The parts of the wire format that differ between servers of this protocol. */
export interface WireStyle {
  readonly timestamps: "zoned" | "naive";
  readonly checkpointPaths: "weights" | "training" | "tinker";
}

/** Returns the JSON of a training run. */
export function trainingRunJson(
  run: StoredTrainingRun,
  style: WireStyle,
): Record<string, unknown> {
  const last = (type: StoredCheckpoint["type"]) => {
    const checkpoint = run.checkpoints.findLast((checkpoint) => checkpoint.type === type);
    return checkpoint === undefined ? null : checkpointJson(run, checkpoint, style);
  };
  const json = {
    training_run_id: run.id,
    base_model: run.baseModel,
    model_owner: run.modelOwner,
    is_lora: run.isLora,
    corrupted: run.corrupted,
    lora_rank: run.loraRank,
    last_request_time: timestamp(run.lastRequestMicros, style),
    last_checkpoint: last("training"),
    last_sampler_checkpoint: last("sampler"),
    user_metadata: null,
    ...run.fields,
  };
  if (!run.isSparse) return json;
  // is_lora is required even when false (protocol: only corrupted can be absent).
  return Object.fromEntries(
    Object.entries(json).filter(([key, value]) =>
      value !== null && !(key === "corrupted" && value === false)
    ),
  );
}

/** Returns the JSON of a checkpoint. */
export function checkpointJson(
  run: StoredTrainingRun,
  checkpoint: StoredCheckpoint,
  style: WireStyle,
): Record<string, unknown> {
  return {
    checkpoint_id: checkpoint.id,
    checkpoint_type: checkpoint.type,
    time: timestamp(checkpoint.timeMicros, style),
    [style.checkpointPaths === "tinker" ? "tinker_path" : "checkpoint_path"]: checkpointPath(
      run,
      checkpoint,
      style,
    ),
    size_bytes: checkpoint.archiveBytes,
    public: false,
    ...checkpoint.fields,
  };
}

/** Returns the path of a checkpoint: `hpcai://`, or `tinker://` on servers that the API was forked from. */
export function checkpointPath(
  run: StoredTrainingRun,
  { id, type }: StoredCheckpoint,
  { checkpointPaths }: WireStyle,
): string {
  const scheme = checkpointPaths === "tinker" ? "tinker" : "hpcai";
  const kind = checkpointPaths === "training"
    ? type
    : type === "training"
    ? "weights"
    : `${type}_weights`;
  return `${scheme}://${run.id}/${kind}/${id}`;
}

/** Microseconds since 1970 in the format of pydantic. */
function timestamp(micros: number, { timestamps }: WireStyle): string {
  const seconds = new Date(Math.floor(micros / 1000)).toISOString().slice(0, 19);
  const fraction = String(micros % 1_000_000).padStart(6, "0");
  return `${seconds}.${fraction}${timestamps === "zoned" ? "Z" : ""}`;
}
