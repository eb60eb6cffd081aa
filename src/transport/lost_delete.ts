import { catchError, type MonoTypeOperatorFunction, of } from "rxjs";
import { isAlreadyDeleted, mayHaveSucceeded } from "./retry_policy.ts";

/**
 * Treats a 404 as success if an earlier attempt of the same deletion may have succeeded, since its
 * response was lost. Applied to each attempt of one call.
 */
export function acceptLostDelete(): MonoTypeOperatorFunction<void> {
  let mayBeDeleted = false;
  return catchError((error) => {
    if (mayBeDeleted && isAlreadyDeleted(error)) return of(undefined);
    mayBeDeleted ||= mayHaveSucceeded(error);
    throw error;
  });
}
