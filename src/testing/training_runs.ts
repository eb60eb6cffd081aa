// This module is browser compatible.

import { type SeededRandom, seededRandom } from "./seeded_random.ts";

/** Fields of a JSON object, by their names on the wire. */
type JsonFields = Readonly<Record<string, unknown>>;

/** A checkpoint as the fake keeps it. */
export interface StoredCheckpoint {
  readonly id: string;
  readonly type: string;
  /** When it was saved, in microseconds since 1970. */
  readonly timeMicros: number;
  readonly archiveBytes: number;
  /** What its JSON has besides, or instead. */
  readonly fields: JsonFields;
}

/** A training run as the fake keeps it. */
export interface StoredTrainingRun {
  readonly id: string;
  readonly baseModel: string;
  readonly modelOwner: string | null;
  readonly isLora: boolean;
  readonly loraRank: number | null;
  readonly corrupted: boolean;
  /** Whether the server leaves out what is null or false, as some do. */
  readonly isSparse: boolean;
  /** In microseconds since 1970. */
  lastRequestMicros: number;
  /** Oldest first. */
  checkpoints: StoredCheckpoint[];
  /** What its JSON has besides, or instead. */
  readonly fields: JsonFields;
}

/** What to make a training run of; the rest is made up. */
export interface FakeTrainingRunInit {
  /** The id. Default: a new UUID. */
  readonly trainingRunId?: string;
  /** The base model. Default: `"Qwen/Qwen3-8B"`. */
  readonly baseModel?: string;
  /** Whose it is, or `null` for nobody's. Default: the owner of the other runs. */
  readonly modelOwner?: string | null;
  /** The LoRA rank; `null` for a run that does not use LoRA. Default: 32. */
  readonly loraRank?: number | null;
  /** Whether it is in a corrupted state. Default: `false`. */
  readonly corrupted?: boolean;
  /**
   * Fields that its JSON has besides, or instead of its own, by their names on the wire: for example
   * `{ user_metadata: { seed: 7 }, last_request_time: null }`.
   */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** What to make a checkpoint of. */
export interface FakeCheckpointInit {
  /** Its id, which may hold `/`. */
  readonly checkpointId: string;
  /** Its type, for example `"training"`, `"sampler"` or `"external"`. Default: `"training"`. */
  readonly checkpointType?: string;
  /** The length of its archive, in bytes. Default: the fake's `archiveBytes`. */
  readonly archiveBytes?: number;
  /**
   * Fields that its JSON has besides, or instead of its own, by their names on the wire: for example
   * `{ expires_at: "2026-02-01T00:00:00Z", time: null }`.
   */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** The run and the moment that the API reference's examples show. */
const FIRST_RUN_ID = "eb78693b-380d-40f8-a709-ffe0da185718";
const NEWEST_MICROS = Date.UTC(2026, 0, 7, 10, 19, 18) * 1000 + 123_456;

const MODEL_OWNER = "user-3f9c1a";
const MINUTE_MICROS = 60_000_000;

/** The training runs of one account, latest activity first. */
export class TrainingRuns {
  /** All runs, in the order in which they are listed. */
  readonly all: StoredTrainingRun[] = [];
  readonly #random: SeededRandom;
  readonly #archiveBytes: number;
  #nowMicros = NEWEST_MICROS;

  constructor(count: number, seed: number, archiveBytes: number) {
    this.#random = seededRandom(seed);
    this.#archiveBytes = archiveBytes;
    let lastRequestMicros = NEWEST_MICROS;
    for (let i = 0; i < count; i++) {
      this.all.push(i === 0 ? this.#firstRun() : this.#randomRun(lastRequestMicros));
      lastRequestMicros -= this.#random.int(600 * MINUTE_MICROS) + 1;
    }
  }

  find(id: string): StoredTrainingRun | undefined {
    return this.all.find((run) => run.id === id);
  }

  /** Adds a run at the front, as the latest to be active. */
  add(init: FakeTrainingRunInit): StoredTrainingRun {
    const { trainingRunId = this.#random.uuid(), loraRank = 32 } = init;
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
      lastRequestMicros: this.#tick(),
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
    run.lastRequestMicros = this.#tick();
    this.remove(run);
    this.all.unshift(run);
  }

  addCheckpoint(run: StoredTrainingRun, init: FakeCheckpointInit): StoredCheckpoint {
    if (init.checkpointId === "") throw new RangeError("checkpointId must not be empty");
    if (init.checkpointType === "") throw new RangeError("checkpointType must not be empty");
    if (run.checkpoints.some(({ id }) => id === init.checkpointId)) {
      throw new RangeError(`${init.checkpointId} exists already in ${run.id}`);
    }
    const checkpoint: StoredCheckpoint = {
      id: init.checkpointId,
      type: init.checkpointType ?? "training",
      timeMicros: this.#tick(),
      archiveBytes: init.archiveBytes ?? this.#archiveBytes,
      fields: init.fields ?? {},
    };
    run.checkpoints.push(checkpoint);
    return checkpoint;
  }

  /** Returns whether there was such a checkpoint. */
  deleteCheckpoint(run: StoredTrainingRun, checkpointId: string): boolean {
    const left = run.checkpoints.filter(({ id }) => id !== checkpointId);
    const isDeleted = left.length < run.checkpoints.length;
    run.checkpoints = left;
    return isDeleted;
  }

  /** The moment of the next change: a clock that only changes move, so that data repeats. */
  #tick(): number {
    return this.#nowMicros += 1_000_003;
  }

  #firstRun(): StoredTrainingRun {
    return {
      id: FIRST_RUN_ID,
      baseModel: "Qwen/Qwen3-8B",
      modelOwner: MODEL_OWNER,
      isLora: true,
      loraRank: 32,
      corrupted: false,
      isSparse: false,
      lastRequestMicros: NEWEST_MICROS,
      checkpoints: this.#checkpoints(NEWEST_MICROS, [
        ["step_0010", "training"],
        ["step_0010-sampler", "sampler"],
        ["step_0020", "training"],
        ["final", "training"],
      ]),
      fields: {},
    };
  }

  #randomRun(lastRequestMicros: number): StoredTrainingRun {
    const random = this.#random;
    // Only LoRA adapters are saved, says the API reference: the other runs have no checkpoints.
    const isLora = random.int(6) > 0;
    const steps = isLora ? random.int(4) : 0;
    const names: [string, "training" | "sampler"][] = Array.from(
      { length: steps },
      (_, i) => [`step_${String((i + 1) * 10).padStart(4, "0")}`, "training"],
    );
    if (steps > 1) names.push(["final", "training"]);
    if (steps > 0 && random.int(2) === 0) names.push(["final-sampler", "sampler"]);
    return {
      id: random.uuid(),
      baseModel: random.pick([
        "Qwen/Qwen3-8B",
        "Qwen/Qwen3-32B",
        "Qwen/Qwen3-4B-Instruct-2507",
        "meta-llama/Llama-3.1-8B-Instruct",
        "meta-llama/Llama-3.3-70B-Instruct",
      ]),
      modelOwner: MODEL_OWNER,
      isLora,
      loraRank: isLora ? random.pick([8, 16, 32, 64]) : null,
      corrupted: random.int(8) === 0,
      isSparse: random.int(3) === 0,
      lastRequestMicros,
      checkpoints: this.#checkpoints(lastRequestMicros, names),
      fields: {},
    };
  }

  /** Saved one after the other, the last of them just before the run's last request. */
  #checkpoints(
    lastRequestMicros: number,
    names: readonly (readonly [string, "training" | "sampler"])[],
  ): StoredCheckpoint[] {
    let timeMicros = lastRequestMicros;
    return names.toReversed().map(([id, type]) => {
      timeMicros -= this.#random.int(10 * MINUTE_MICROS) + 1;
      return { id, type, timeMicros, archiveBytes: this.#archiveBytes, fields: {} };
    }).reverse();
  }
}
