/** How to watch. */
export interface WatchOptions {
  /** How long to wait after one poll has ended until the next begins, in ms. Default 10 000. */
  readonly intervalMs?: number | undefined;
  /** Whether what is there at the beginning is emitted, as `added`. Default true. */
  readonly emitInitial?: boolean | undefined;
  /** How many polls in a row must fail for the watch to fail; a positive integer. Default `Infinity`. */
  readonly maxConsecutiveErrors?: number | undefined;
}

/** Something is there that was not there before. */
export interface Addition<T> {
  /** Tells the changes apart. */
  readonly type: "added";
  /** What is there. */
  readonly value: T;
}

/** Something is no longer what it was. */
export interface Modification<T> {
  /** Tells the changes apart. */
  readonly type: "changed";
  /** What it is now. */
  readonly value: T;
  /** What it was. */
  readonly previous: T;
}

/** Something is no longer there. */
export interface Removal<T> {
  /** Tells the changes apart. */
  readonly type: "removed";
  /** What it was. */
  readonly value: T;
}

/** What a watch emits. */
export type Change<T> = Addition<T> | Modification<T> | Removal<T>;
