import { catchError, type MonoTypeOperatorFunction, of } from "rxjs";
import { isAlreadyDeleted, mayHaveSucceeded } from "./retry_policy.ts";

/**
 * Treats a deletion as done if an earlier attempt may have reached the server, and this one finds
 * nothing to delete. Applied to each attempt of one call.
 */
export function acceptLostDelete(): MonoTypeOperatorFunction<void> {
  let mayBeDeleted = false;
  return catchError((error) => {
    if (mayBeDeleted && isAlreadyDeleted(error)) return of(undefined);
    mayBeDeleted ||= mayHaveSucceeded(error);
    throw error;
  });
}
