// Assertions of the scenario and the facts. Runs in every runtime.
import { HpcaiError } from "@hpcai/rx";
import { tap } from "rxjs";

/** Throws unless both values are the same. */
export function equal(actual, expected) {
  if (!Object.is(actual, expected)) throw new Error(`expected ${expected}, got ${actual}`);
}

/** Returns the error of a rejected promise; throws unless its name is `name`. */
export async function rejects(promise, name) {
  const error = await promise.then(
    (value) => new Error(`expected ${name}, got the value ${value}`),
    (error) => error,
  );
  if (!(error instanceof HpcaiError) || error.name !== name) throw error;
  return error;
}

/**
 * Cuts the next archive. Returns an operator for the download that delays the cut until some bytes were
 * read, because a runtime can discard buffered bytes with the connection.
 */
export async function cutAfterRead(control) {
  await control("close-gate");
  await control("fault", { type: "cut", afterBytes: 500_000, on: "archive" });
  let isGateOpen = false;
  return tap(({ loaded }) => {
    if (loaded > 0 && !isGateOpen) {
      isGateOpen = true;
      control("open-gate");
    }
  });
}
