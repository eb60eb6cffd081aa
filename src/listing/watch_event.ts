/** Options of a watch. */
export interface WatchOptions {
  /** How long to wait from the end of one poll to the next, in milliseconds. Default 10 000. */
  readonly intervalMs?: number | undefined;
  /** Whether the first poll's values are emitted, as `added`. Default true. */
  readonly emitInitial?: boolean | undefined;
  /** How many polls in a row must fail for the watch to fail; a positive integer. Default `Infinity`. */
  readonly maxConsecutiveErrors?: number | undefined;
}

/** A value was added to the list. */
export interface WatchAddedEvent<T> {
  /** Distinguishes the events. */
  readonly type: "added";
  /** The new value. */
  readonly value: T;
}

/** A value of the list has changed. */
export interface WatchChangedEvent<T> {
  /** Distinguishes the events. */
  readonly type: "changed";
  /** The new value. */
  readonly value: T;
  /** The previous value. */
  readonly previous: T;
}

/** A value was removed from the list. */
export interface WatchRemovedEvent<T> {
  /** Distinguishes the events. */
  readonly type: "removed";
  /** The last known value. */
  readonly value: T;
}

/** An event of a watch: one difference between two polls. */
export type WatchEvent<T> = WatchAddedEvent<T> | WatchChangedEvent<T> | WatchRemovedEvent<T>;
