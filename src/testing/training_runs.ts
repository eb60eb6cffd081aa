// This module is browser compatible.

import { generateRuns, MODEL_OWNER, NEWEST_MICROS } from "./generate_runs.ts";
import { LoraArchive, MIN_ARCHIVE_BYTES } from "./lora_archive.ts";
import { requireInteger } from "./require_integer.ts";
import { type SeededRandom, seededRandom } from "./seeded_random.ts";
import type { StoredCheckpoint, StoredTrainingRun } from "./stored_training_run.ts";

/** The properties of a new training run. */
export interface FakeTrainingRunInit {
  /** The id. Default: a new UUID. */
  readonly trainingRunId?: string;
  /** The base model. Default: `"Qwen/Qwen3-8B"`. */
  readonly baseModel?: string;
  /** The owner, or `null` for a run without one. Default: the owner of the other runs. */
  readonly modelOwner?: string | null;
  /** The LoRA rank; `null` for a run that does not use LoRA. Default: 32. */
  readonly loraRank?: number | null;
  /** Whether it is in a corrupted state. Default: `false`. */
  readonly corrupted?: boolean;
  /**
   * Additional and replaced fields of its JSON, by their names on the wire, for example
   * `{ user_metadata: { seed: 7 }, last_request_time: null }`.
   */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** The properties of a new checkpoint. */
export interface FakeCheckpointInit {
  /** The id, which can contain `/`. */
  readonly checkpointId: string;
  /** The type, for example `"training"`, `"sampler"` or `"external"`. Default: `"training"`. */
  readonly checkpointType?: string;
  /** The length of its archive, in bytes. Default: the fake's `archiveBytes`. */
  readonly archiveBytes?: number;
  /**
   * Additional and replaced fields of its JSON, by their names on the wire, for example
   * `{ expires_at: "2026-02-01T00:00:00Z", time: null }`.
   */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** The training runs of one account, latest activity first. */
export class TrainingRuns {
  /** All runs, in the order of the listing. */
  readonly all: StoredTrainingRun[];
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #archiveBytes: number;
  readonly #archives = new WeakMap<StoredCheckpoint, LoraArchive>();
  #nowMicros = NEWEST_MICROS;

  constructor(count: number, seed: number, archiveBytes: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.#archiveBytes = archiveBytes;
    this.all = generateRuns(count, this.#random, archiveBytes);
  }

  find(id: string): StoredTrainingRun | undefined {
    return this.all.find((run) => run.id === id);
  }

  /** Adds a run at the front, with the latest activity. */
  add(init: FakeTrainingRunInit): StoredTrainingRun {
    const { trainingRunId = this.#random.uuid(), loraRank = 32 } = init;
    if (loraRank !== null) requireInteger("loraRank", loraRank, 1);
    if (trainingRunId === "") throw new RangeError("trainingRunId must not be empty");
    if (this.find(trainingRunId)) throw new RangeError(`${trainingRunId} exists already`);
    const run: StoredTrainingRun = {
      id: trainingRunId,
      baseModel: init.baseModel ?? "Qwen/Qwen3-8B",
      modelOwner: init.modelOwner === undefined ? MODEL_OWNER : init.modelOwner,
      isLora: loraRank !== null,
      loraRank,
      corrupted: init.corrupted ?? false,
      isSparse: false,
      lastRequestMicros: this.#nextMicros(),
      checkpoints: [],
      fields: init.fields ?? {},
    };
    this.all.unshift(run);
    return run;
  }

  remove(run: StoredTrainingRun): void {
    this.all.splice(this.all.indexOf(run), 1);
  }

  /** Moves a run to the front. */
  touch(run: StoredTrainingRun): void {
    run.lastRequestMicros = this.#nextMicros();
    this.remove(run);
    this.all.unshift(run);
  }

  addCheckpoint(run: StoredTrainingRun, init: FakeCheckpointInit): StoredCheckpoint {
    const { checkpointId, checkpointType = "training", archiveBytes = this.#archiveBytes } = init;
    requireInteger("archiveBytes", archiveBytes, MIN_ARCHIVE_BYTES);
    if (checkpointId === "") throw new RangeError("checkpointId must not be empty");
    if (checkpointType === "") throw new RangeError("checkpointType must not be empty");
    if (findCheckpoint(run, checkpointId)) {
      throw new RangeError(`${checkpointId} exists already in ${run.id}`);
    }
    const checkpoint: StoredCheckpoint = {
      id: checkpointId,
      type: checkpointType,
      timeMicros: this.#nextMicros(),
      archiveBytes,
      fields: init.fields ?? {},
    };
    run.checkpoints.push(checkpoint);
    return checkpoint;
  }

  /** Deletes a checkpoint; returns whether it existed. */
  deleteCheckpoint(run: StoredTrainingRun, checkpointId: string): boolean {
    const remaining = run.checkpoints.filter(({ id }) => id !== checkpointId);
    const isDeleted = remaining.length < run.checkpoints.length;
    run.checkpoints = remaining;
    return isDeleted;
  }

  /** Returns the archive of a checkpoint, whose layout is computed once. */
  archive(run: StoredTrainingRun, checkpoint: StoredCheckpoint): LoraArchive {
    const archive = this.#archives.get(checkpoint) ?? new LoraArchive({
      byteLength: checkpoint.archiveBytes,
      name: `${this.#seed}/${run.id}/${checkpoint.id}`,
      baseModel: run.baseModel,
      rank: run.loraRank ?? 16,
      mtime: Math.floor(checkpoint.timeMicros / 1_000_000),
    });
    this.#archives.set(checkpoint, archive);
    return archive;
  }

  /** Returns the time of the next change. Only changes advance this clock, so that data is reproducible. */
  #nextMicros(): number {
    return this.#nowMicros += 1_000_003;
  }
}

/** Returns the checkpoint of a run with that id. */
export function findCheckpoint(run: StoredTrainingRun, id: string): StoredCheckpoint | undefined {
  return run.checkpoints.find((checkpoint) => checkpoint.id === id);
}
