import type { Observable } from "rxjs";
import type { Checkpoint, TrainingRun } from "../types.ts";

/** The items of one poll by id, in the server's order. */
export type Snapshot<T> = ReadonlyMap<string, T>;

/** The pollers that have subscribers, by target and options. */
export type Pollers<T> = Map<string, Observable<Snapshot<T>>>;

/**
 * Returns the pollers of training runs for an owner, the object that clients with the same pollers
 * share.
 */
export const runPollers: (owner: object) => Pollers<TrainingRun> = pollersByOwner();

/** Returns the pollers of checkpoints for an owner. */
export const checkpointPollers: (owner: object) => Pollers<Checkpoint> = pollersByOwner();

function pollersByOwner<T>(): (owner: object) => Pollers<T> {
  const byOwner = new WeakMap<object, Pollers<T>>();
  return (owner) => {
    const pollers: Pollers<T> = byOwner.get(owner) ?? new Map();
    byOwner.set(owner, pollers);
    return pollers;
  };
}
