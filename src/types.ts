/** Which of the two kinds of checkpoint it is: `training` to resume from, `sampler` for inference. */
export type CheckpointType = "training" | "sampler";

/** A saved state of a training run. */
export interface Checkpoint {
  /** Identifier of the checkpoint within its run, for example `step_0010`. May hold `/`. */
  readonly checkpointId: string;
  /**
   * `training`: the full LoRA adapter weights, to resume training from.
   * `sampler`: optimized for inference; smaller, faster to load.
   */
  readonly checkpointType: CheckpointType;
  /** When it was created. */
  readonly time: Date;
  /** Its full path, `hpcai://{trainingRunId}/{weights|sampler_weights}/{checkpointId}`. */
  readonly checkpointPath: string;
}

/** A model instance that was created for training: active or done. */
export interface TrainingRun {
  /** Unique identifier of the run. */
  readonly trainingRunId: string;
  /** Name of the base model, for example `Qwen/Qwen3-8B`. */
  readonly baseModel: string;
  /** Identifier of the owner. */
  readonly modelOwner: string;
  /** Whether the model is a LoRA model. */
  readonly isLora: boolean;
  /** Whether the model is in a corrupted state. */
  readonly corrupted: boolean;
  /** LoRA rank, or `null` where it does not apply. */
  readonly loraRank: number | null;
  /** When the run last received a request. */
  readonly lastRequestTime: Date;
  /** Its most recent training checkpoint, or `null` while it has none. */
  readonly lastCheckpoint: Checkpoint | null;
  /** Its most recent sampler checkpoint, or `null` while it has none. */
  readonly lastSamplerCheckpoint: Checkpoint | null;
}

/** Which part of a listing a page is. */
export interface Cursor {
  /** How many training runs come before this page. */
  readonly offset: number;
  /** The limit that the server used, which can be less than the one that was asked for. */
  readonly limit: number;
  /** How many training runs there are in all; some servers say 0 on a page past the end. */
  readonly totalCount: number;
}

/** One page of training runs. */
export interface TrainingRunsResponse {
  /** The runs of this page, in the server's order. */
  readonly trainingRuns: readonly TrainingRun[];
  /** Which page it is, of how many runs. */
  readonly cursor: Cursor;
}

/** The checkpoints of a training run. */
export interface CheckpointsListResponse {
  /** All of them, of both types, in the server's order. */
  readonly checkpoints: readonly Checkpoint[];
}

/** A checkpoint with the run that it belongs to. */
export interface RunCheckpoint extends Checkpoint {
  /** The run, as the listing of all runs had it. */
  readonly trainingRun: TrainingRun;
}

/**
 * Names one checkpoint: its path (`hpcai://…`), a {@linkcode Checkpoint} from a listing, or the ids
 * of run and checkpoint.
 */
export type CheckpointRef = string | Checkpoint | CheckpointIds;

/** The two ids that name a checkpoint in the REST API's routes. */
export interface CheckpointIds {
  /** Identifier of the training run. */
  readonly trainingRunId: string;
  /** Identifier of the checkpoint within the run. */
  readonly checkpointId: string;
}
