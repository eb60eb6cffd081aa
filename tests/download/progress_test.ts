import { map, type Observable } from "rxjs";
import type { DownloadCompleteEvent, DownloadEvent } from "../../src/download/download_event.ts";
import { toDownloadEvents } from "../../src/download/progress.ts";
import type { TransferUpdate } from "../../src/download/transfer.ts";
import { runMarbles } from "../marbles.ts";

/** The updates of a transfer with these counts. */
function downloadEvents(
  loaded$: Observable<number>,
  total: number | undefined,
  intervalMs: number,
): Observable<DownloadEvent> {
  return loaded$.pipe(
    map((loaded) => ({
      type: "loaded" as const,
      loaded,
      total,
      etag: undefined,
      announcedTotal: total,
    })),
    toDownloadEvents<DownloadCompleteEvent>(
      intervalMs,
      ({ loaded }) => ({ type: "complete", loaded, body: undefined, format: "unknown" }),
    ),
  );
}

function progress(
  loaded: number,
  total: number | undefined,
  bytesPerSecond: number,
  remainingMs: number | undefined,
) {
  return { type: "progress" as const, loaded, total, bytesPerSecond, remainingMs };
}

Deno.test("toDownloadEvents emits progress at most once per interval, the first and the last always", () => {
  runMarbles(({ cold, expectObservable }) => {
    const counts = { a: 0, b: 10, c: 20, d: 40 };
    const loaded$ = downloadEvents(cold("ab-c-d|", counts), 40, 3).pipe(
      map(({ type, loaded }) => `${type} ${loaded}`),
    );
    expectObservable(loaded$).toBe("a--c--(ef|)", {
      a: "progress 0",
      c: "progress 20",
      e: "progress 40",
      f: "complete 40",
    });
  });
});

Deno.test("toDownloadEvents does not emit the last count twice", () => {
  runMarbles(({ cold, expectObservable }) => {
    const loaded$ = downloadEvents(cold("a--b|", { a: 0, b: 5 }), 5, 3).pipe(
      map(({ type, loaded }) => `${type} ${loaded}`),
    );
    expectObservable(loaded$).toBe("a--b(c|)", {
      a: "progress 0",
      b: "progress 5",
      c: "complete 5",
    });
  });
});

Deno.test("toDownloadEvents computes rate and remaining time from the last seconds", () => {
  runMarbles(({ cold, expectObservable }) => {
    const loaded$ = downloadEvents(cold("a 999ms b 999ms c|", { a: 0, b: 1000, c: 3000 }), 6000, 0);
    expectObservable(loaded$).toBe("a 999ms b 999ms c(d|)", {
      a: progress(0, 6000, 0, undefined),
      b: progress(1000, 6000, 1000, 5000),
      c: progress(3000, 6000, 1500, 2000),
      d: { type: "complete", loaded: 3000, body: undefined, format: "unknown" },
    });
  });
});

Deno.test("toDownloadEvents passes a restart on, and counts from 0 after it", () => {
  const loaded = (loaded: number): TransferUpdate => ({
    type: "loaded",
    loaded,
    total: 6000,
    etag: undefined,
    announcedTotal: 6000,
  });
  runMarbles(({ cold, expectObservable }) => {
    const transfer$ = cold<TransferUpdate>("a 999ms b 99ms r 99ms c 99ms d", {
      a: loaded(0),
      b: loaded(3000),
      r: { type: "restart", reason: "not-resumable" },
      c: loaded(0),
      d: loaded(100),
    });
    const events$ = transfer$.pipe(
      toDownloadEvents<never>(1000, () => {
        throw new Error("not complete");
      }),
    );
    expectObservable(events$).toBe("a 999ms b 99ms r 99ms c", {
      a: progress(0, 6000, 0, undefined),
      b: progress(3000, 6000, 3000, 1000),
      r: { ...progress(0, undefined, 0, undefined), type: "restart", reason: "not-resumable" },
      c: progress(0, 6000, 0, undefined),
    });
  });
});

Deno.test("toDownloadEvents ignores bytes older than five seconds for the rate", () => {
  runMarbles(({ cold, expectObservable }) => {
    const loaded$ = downloadEvents(
      cold("a 999ms b 4999ms c 999ms d|", { a: 0, b: 90_000, c: 95_000, d: 96_000 }),
      undefined,
      0,
    ).pipe(
      map((event) => event.type === "progress" ? event.bytesPerSecond : event.type),
    );
    expectObservable(loaded$).toBe("a 999ms b 4999ms c 999ms d(e|)", {
      a: 0,
      b: 90_000,
      c: 1_000,
      d: 1_000,
      e: "complete",
    });
  });
});

Deno.test("toDownloadEvents emits a remaining time of 0 at the end, and none without a total", () => {
  runMarbles(({ cold, expectObservable }) => {
    const remaining = (total: number | undefined) =>
      downloadEvents(cold("a--b|", { a: 0, b: 9 }), total, 0).pipe(
        map((event) => event.type === "progress" ? event.remainingMs : event.type),
      );
    const complete = "complete" as const;
    expectObservable(remaining(9)).toBe("a--b(c|)", { a: undefined, b: 0, c: complete });
    expectObservable(remaining(undefined)).toBe("a--b(c|)", {
      a: undefined,
      b: undefined,
      c: complete,
    });
  });
});

Deno.test("toDownloadEvents passes an error on, without `complete`", () => {
  runMarbles(({ cold, expectObservable }) => {
    const loaded$ = downloadEvents(cold("a--#", { a: 0 }), 9, 1).pipe(
      map(({ type }) => type),
    );
    expectObservable(loaded$).toBe("a--#", { a: "progress" });
  });
});
