// What the scenario and the facts share. Runs in every runtime.
import { HpcaiError } from "@hpcai/rx";
import { tap } from "rxjs";

/** Throws unless both are the same value. */
export function equal(actual, expected) {
  if (!Object.is(actual, expected)) throw new Error(`expected ${expected}, got ${actual}`);
}

/** Gives the error that a promise is rejected with; throws if it is none with that name. */
export async function rejects(promise, name) {
  const error = await promise.then(
    (value) => new Error(`expected ${name}, got the value ${value}`),
    (error) => error,
  );
  if (!(error instanceof HpcaiError) || error.name !== name) throw error;
  return error;
}

/**
 * Orders that the next archive breaks off, and gives what to pipe its download through: the cut waits
 * until some of it has been read, since what a runtime has buffered can be lost with the connection.
 */
export async function cutOnceRead(order) {
  await order("close-gate");
  await order("fault", { type: "cut", afterBytes: 500_000, on: "archive" });
  let isOpen = false;
  return tap(({ loaded }) => {
    if (loaded > 0 && !isOpen) {
      isOpen = true;
      order("open-gate");
    }
  });
}
