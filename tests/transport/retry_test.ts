import { assertEquals } from "@std/assert";
import { defer, type Observable, tap } from "rxjs";
import { ApiConnectionError, apiStatusError, type HpcaiError } from "../../src/errors.ts";
import type { RetryOptions } from "../../src/options.ts";
import { retryWithBackoff } from "../../src/transport/retry.ts";
import { archivePolicy, callPolicy } from "../../src/transport/retry_policy.ts";
import { runMarbles } from "../marbles.ts";

const request = { method: "GET", requestUrl: "https://api.example/x" };
const connection = new ApiConnectionError("The connection failed", request);
const status = (status: number, retryAfterMs?: number) =>
  apiStatusError({ ...request, status, message: "no", retryAfterMs });

const options: RetryOptions = {
  maxRetries: 5,
  maxElapsedMs: 30_000,
  maxInterruptionMs: 300_000,
  initialDelayMs: 500,
  maxDelayMs: 10_000,
  maxRetryAfterMs: 60_000,
};

/** Fails a number of times, at once, then emits. */
function failing(error: unknown, times: number): Observable<string> {
  let attempts = 0;
  return defer(() => {
    if (attempts++ < times) throw error;
    return ["v"];
  });
}

Deno.test("retryWithBackoff waits a random part of a ceiling that doubles up to maxDelayMs", () => {
  runMarbles(({ expectObservable }) => {
    // With 1 for the random number the waits are the ceilings: 0.5, 1, 2, 4 and 8 s.
    const result$ = failing(connection, 5).pipe(
      retryWithBackoff(options, { policy: callPolicy(), random: () => 1 }),
    );
    expectObservable(result$).toBe("15500ms (v|)");
  });
  runMarbles(({ expectObservable }) => {
    const result$ = failing(connection, 7).pipe(
      retryWithBackoff({ ...options, maxRetries: 7, maxElapsedMs: 60_000 }, {
        policy: callPolicy(),
        random: () => 1,
      }),
    );
    expectObservable(result$).toBe("35500ms (v|)");
  });
});

Deno.test("retryWithBackoff can wait 0 ms, as full jitter allows", () => {
  runMarbles(({ expectObservable }) => {
    const result$ = failing(connection, 5).pipe(
      retryWithBackoff(options, { policy: callPolicy(), random: () => 0 }),
    );
    expectObservable(result$).toBe("(v|)");
  });
});

Deno.test("retryWithBackoff fails with the error of the last attempt", () => {
  runMarbles(({ expectObservable }) => {
    const result$ = failing(connection, 6).pipe(
      retryWithBackoff(options, { policy: callPolicy(), random: () => 1 }),
    );
    expectObservable(result$).toBe("15500ms #", undefined, connection);
  });
});

Deno.test("retryWithBackoff retries until maxElapsedMs after the first failure, and once more at its end", () => {
  const unlimited = { ...options, maxRetries: Infinity };
  runMarbles(({ expectObservable }) => {
    // 0.5, 1, 2, 4, 8 and 10 s are 25.5 s: the next wait is cut to what is left of 30.
    const result$ = failing(connection, 7).pipe(
      retryWithBackoff(unlimited, { policy: callPolicy(), random: () => 1 }),
    );
    expectObservable(result$).toBe("30s (v|)");
  });
  runMarbles(({ expectObservable }) => {
    const result$ = failing(connection, 8).pipe(
      retryWithBackoff(unlimited, { policy: callPolicy(), random: () => 1 }),
    );
    expectObservable(result$).toBe("30s #", undefined, connection);
  });
});

Deno.test("retryWithBackoff counts the time from the last progress, if any", () => {
  runMarbles(({ expectObservable, cold }) => {
    let attempts = 0;
    const result$ = defer(() =>
      attempts++ === 0
        ? cold<string>("a 19s b 4s #", undefined, connection)
        : failing(connection, 9)
    ).pipe(
      retryWithBackoff({ ...options, maxRetries: Infinity }, {
        policy: callPolicy(),
        random: () => 1,
        retryForMs: () => 10_000,
      }),
    );
    // The last byte came after 19.001 s.
    expectObservable(result$).toBe("a 19s b 9999ms #", undefined, connection);
  });
});

Deno.test("retryWithBackoff waits for a Retry-After that ends after maxElapsedMs", () => {
  runMarbles(({ expectObservable }) => {
    const error = status(429, 45_000);
    const result$ = failing(error, 9).pipe(
      retryWithBackoff({ ...options, maxRetries: Infinity }, {
        policy: callPolicy(),
        random: () => 1,
      }),
    );
    expectObservable(result$).toBe("45s #", undefined, error);
  });
});

Deno.test("retryWithBackoff ignores a Retry-After of 0", () => {
  runMarbles(({ expectObservable }) => {
    const result$ = failing(status(503, 0), 2).pipe(
      retryWithBackoff(options, { policy: callPolicy(), random: () => 1 }),
    );
    expectObservable(result$).toBe("1500ms (v|)");
  });
  runMarbles(({ expectObservable }) => {
    const waits: number[] = [];
    const preparation = {
      limitMs: 10_000,
      onWait: (delayMs: number) => waits.push(delayMs),
    };
    const result$ = failing(status(503, 0), 3).pipe(
      retryWithBackoff(options, { policy: archivePolicy(), preparation, random: () => 1 }),
      tap(() => assertEquals(waits, [500, 1000, 2000])),
    );
    expectObservable(result$).toBe("3500ms (v|)");
  });
});

Deno.test("retryWithBackoff counts attempts with a Retry-After too", () => {
  runMarbles(({ expectObservable }) => {
    const error = status(503, 10);
    const result$ = failing(error, 9).pipe(
      retryWithBackoff({ ...options, maxRetries: 2 }, { policy: callPolicy() }),
    );
    expectObservable(result$).toBe("20ms #", undefined, error);
  });
});

Deno.test("retryWithBackoff waits exactly as long as Retry-After", () => {
  runMarbles(({ expectObservable }) => {
    const result$ = failing(status(429, 14_000), 2).pipe(
      retryWithBackoff(options, { policy: callPolicy(), random: () => 1 }),
    );
    expectObservable(result$).toBe("28000ms (v|)");
  });
});

Deno.test("retryWithBackoff fails at once if Retry-After exceeds maxRetryAfterMs", () => {
  const error = status(503, 60_001);
  runMarbles(({ expectObservable }) => {
    const result$ = failing(error, 1).pipe(
      retryWithBackoff(options, { policy: callPolicy(), random: () => 1 }),
    );
    expectObservable(result$).toBe("#", undefined, error);
  });
});

Deno.test("retryWithBackoff fails at once with an error that the policy does not retry", () => {
  runMarbles(({ expectObservable }) => {
    const error = status(404);
    const result$ = failing(error, 1).pipe(
      retryWithBackoff(options, { policy: callPolicy(), random: () => 1 }),
    );
    expectObservable(result$).toBe("#", undefined, error);
  });
});

Deno.test("retryWithBackoff ends its wait when it is unsubscribed from", () => {
  runMarbles(({ expectObservable, cold, expectSubscriptions }) => {
    const source$ = cold<string>("#", undefined, connection);
    const result$ = source$.pipe(
      retryWithBackoff(options, { policy: callPolicy(), random: () => 1 }),
    );
    expectObservable(result$, "^ 99ms !").toBe("-");
    expectSubscriptions(source$.subscriptions).toBe("(^!)");
  });
});

Deno.test("retryWithBackoff calls onRetry with each error and the wait after it", () => {
  runMarbles(({ flush }) => {
    const retries: [HpcaiError, number][] = [];
    failing(connection, 2).pipe(
      retryWithBackoff(options, {
        policy: callPolicy(),
        onRetry: (error, delayMs) => retries.push([error, delayMs]),
        random: () => 0.5,
      }),
    ).subscribe();
    flush();
    assertEquals(retries, [[connection, 250], [connection, 500]]);
  });
});
