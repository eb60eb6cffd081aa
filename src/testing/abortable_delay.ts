// This module is browser compatible.

/**
 * Resolves after `ms` milliseconds, or rejects with the reason of `signal` once that aborts. Either
 * way no timer remains.
 *
 * @param ms The delay; `Infinity` starts no timer and waits for `signal` alone.
 */
export function abortableDelay(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = ms === Infinity ? undefined : setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
  });
}
