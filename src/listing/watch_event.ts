/** Options of a watch. */
export interface WatchOptions {
  /** How long to wait after one poll has ended until the next begins, in ms. Default 10 000. */
  readonly intervalMs?: number | undefined;
  /** Whether the first poll's values are emitted, as `added`. Default true. */
  readonly emitInitial?: boolean | undefined;
  /** How many polls in a row must fail for the watch to fail; a positive integer. Default `Infinity`. */
  readonly maxConsecutiveErrors?: number | undefined;
}

/** A value is in the list that was not in the one before. */
export interface WatchAddedEvent<T> {
  /** Discriminates the events. */
  readonly type: "added";
  /** The new value. */
  readonly value: T;
}

/** A value of the list differs from that of the list before. */
export interface WatchChangedEvent<T> {
  /** Discriminates the events. */
  readonly type: "changed";
  /** The value now. */
  readonly value: T;
  /** The value before. */
  readonly previous: T;
}

/** A value is no longer in the list. */
export interface WatchRemovedEvent<T> {
  /** Discriminates the events. */
  readonly type: "removed";
  /** The last known value. */
  readonly value: T;
}

/** What a watch emits: one difference between two polls. */
export type WatchEvent<T> = WatchAddedEvent<T> | WatchChangedEvent<T> | WatchRemovedEvent<T>;
