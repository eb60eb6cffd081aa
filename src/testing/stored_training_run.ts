// This module is browser compatible.

/** Fields of a JSON object, by their names on the wire. */
type JsonFields = Readonly<Record<string, unknown>>;

/** A checkpoint as the fake stores it. */
export interface StoredCheckpoint {
  readonly id: string;
  readonly type: string;
  /** When it was saved, in microseconds since 1970. */
  readonly timeMicros: number;
  readonly archiveBytes: number;
  /** Additional and replaced fields of its JSON. */
  readonly fields: JsonFields;
}

/** A training run as the fake stores it. */
export interface StoredTrainingRun {
  readonly id: string;
  readonly baseModel: string;
  readonly modelOwner: string | null;
  readonly isLora: boolean;
  readonly loraRank: number | null;
  readonly corrupted: boolean;
  /** Whether its JSON omits fields that are null or false, as that of some servers does. */
  readonly isSparse: boolean;
  /** In microseconds since 1970. */
  lastRequestMicros: number;
  /** Oldest first. */
  checkpoints: StoredCheckpoint[];
  /** Additional and replaced fields of its JSON. */
  readonly fields: JsonFields;
}
