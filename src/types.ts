/**
 * The type of a checkpoint: `training` to resume from, `sampler` for inference. Other types that a
 * server lists, for example `external`, are kept as they are.
 */
// `{}` keeps the two known types in the suggestions of editors; with plain `string` they are lost.
// deno-lint-ignore ban-types
export type CheckpointType = "training" | "sampler" | (string & {});

/** A saved state of a training run. */
export interface Checkpoint {
  /** Identifier of the training run that it belongs to. */
  readonly trainingRunId: string;
  /** Identifier of the checkpoint within its run, for example `step_0010`. May contain `/`. */
  readonly checkpointId: string;
  /**
   * `training`: the full LoRA adapter weights, to resume training from.
   * `sampler`: optimized for inference; smaller, faster to load.
   * Any other type: its meaning depends on the server.
   */
  readonly checkpointType: CheckpointType;
  /** When it was created, or `null` where the server does not send it. */
  readonly time: Date | null;
  /**
   * Its full path as the server lists it, on HPC-AI
   * `hpcai://{trainingRunId}/{weights|sampler_weights}/{checkpointId}`. Servers of the same family use
   * other schemes.
   */
  readonly checkpointPath: string;
  /** The size of its weights in bytes, where the server sends it. */
  readonly sizeBytes?: number;
  /** When the server will delete it, where it sends that. */
  readonly expiresAt?: Date;
  /** Whether others can use it, where the server sends that. */
  readonly public?: boolean;
}

/** A model instance that was created for training: active or done. */
export interface TrainingRun {
  /** Unique identifier of the run. */
  readonly trainingRunId: string;
  /** Name of the base model, for example `Qwen/Qwen3-8B`. */
  readonly baseModel: string;
  /** Identifier of the owner, or `null` where the server sends none. */
  readonly modelOwner: string | null;
  /** Whether the model is a LoRA model. */
  readonly isLora: boolean;
  /** Whether the model is in a corrupted state. */
  readonly corrupted: boolean;
  /** LoRA rank, or `null` where it does not apply. */
  readonly loraRank: number | null;
  /** When the run last received a request, or `null` where the server does not send it. */
  readonly lastRequestTime: Date | null;
  /** Its most recent training checkpoint, or `null` while it has none. */
  readonly lastCheckpoint: Checkpoint | null;
  /** Its most recent sampler checkpoint, or `null` while it has none. */
  readonly lastSamplerCheckpoint: Checkpoint | null;
  /** The user's notes on the run, where the server sends them. */
  readonly userMetadata?: Readonly<Record<string, unknown>>;
}

/** The place of a page in its listing. */
export interface PageCursor {
  /** How many items come before this page. */
  readonly offset: number;
  /** The limit that the server used, which can be lower than the requested one. */
  readonly limit: number;
  /** How many items there are in all; some servers send 0 on a page past the end. */
  readonly totalCount: number;
}

/** One page of training runs. */
export interface TrainingRunsResponse {
  /** The runs of this page, in the server's order. */
  readonly trainingRuns: readonly TrainingRun[];
  /** The place of the page among all runs. */
  readonly cursor: PageCursor;
}

/** The checkpoints of a training run. */
export interface CheckpointsListResponse {
  /** All of them, of all types, in the server's order. */
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
