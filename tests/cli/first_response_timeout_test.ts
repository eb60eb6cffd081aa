import { ApiConnectionError, type ClientEvent } from "@hpcai/rx";
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { map, NEVER, type Observable } from "rxjs";
import { TestScheduler } from "rxjs/testing";
import { Failure } from "../../src/cli/failure.ts";
import { timeoutFirstResponse } from "../../src/cli/first_response_timeout.ts";
import { cliCommand } from "./cli_process.ts";
import { CapturedHost } from "./cli_host.ts";

const eventBase = {
  callId: 1,
  hop: 1,
  isApiOrigin: true,
  operation: "listTrainingRuns",
  method: "GET",
  url: "https://api.example/v1/x",
  attempt: 1,
} as const;
const connectionRefused = new ApiConnectionError("The connection failed: refused", {
  method: "GET",
  requestUrl: eventBase.url,
});
const events: Readonly<Record<string, ClientEvent>> = {
  q: { ...eventBase, type: "request" },
  r: { ...eventBase, type: "response", status: 503, durationMs: 5 },
  t: { ...eventBase, type: "retry", error: connectionRefused, delayMs: 500 },
};

/** Returns the notifications of a command whose client emits these events. */
function outcome(
  marbles: string,
  makeWork$: (cold: TestScheduler["createColdObservable"]) => Observable<string> = () => NEVER,
): { frame: number; kind: string; error: unknown }[] {
  const scheduler = new TestScheduler(() => {});
  return scheduler.run(({ hot, cold, flush }) => {
    const notifications: { frame: number; kind: string; error: unknown }[] = [];
    const record = (kind: string, error?: unknown) =>
      notifications.push({ frame: scheduler.now(), kind, error });
    const events$ = hot(marbles, events).pipe(map((event) => event));
    makeWork$(cold).pipe(timeoutFirstResponse({ events$ })).subscribe({
      next: (value) => record(value),
      error: (error) => record("error", error),
      complete: () => record("complete"),
    });
    flush();
    return notifications;
  });
}

Deno.test("timeoutFirstResponse fails 15 s after the first request with the error of the last attempt", () => {
  const [end] = outcome("q 99ms t 499ms q 99ms t");
  assertEquals([end?.frame, end?.kind], [15_000, "error"]);
  assertInstanceOf(end?.error, Failure);
  assertEquals(end.error.exitCode, 5);
  assertEquals(end.error.cause, connectionRefused);
  assertEquals(
    end.error.problem,
    "The connection failed: refused; no response from https://api.example within 15 s",
  );
});

Deno.test("timeoutFirstResponse fails without a cause if no attempt has failed", () => {
  const [end] = outcome("- q");
  assertEquals(end?.frame, 15_001);
  assertInstanceOf(end?.error, Failure);
  assertEquals(end.error.problem, "Received no response from https://api.example within 15 s");
});

Deno.test("timeoutFirstResponse starts with the first request", () => {
  assertEquals(outcome("60s q")[0]?.frame, 75_000);
});

Deno.test("timeoutFirstResponse stops with the first response, even with an error status", () => {
  assertEquals(outcome("q 14999ms r 60s q 60s q"), []);
  assertEquals(outcome("q 5s r 1ms t 60s q"), []);
});

Deno.test("timeoutFirstResponse passes values and completion through", () => {
  const notifications = outcome("q 9ms r", (cold) => cold("a 20s b|"));
  assertEquals(notifications.map(({ kind }) => kind), ["a", "b", "complete"]);
  assertEquals(outcome("q", (cold) => cold("10s (a|)")).map(({ kind }) => kind), ["a", "complete"]);
});

for (const flags of [[], ["--debug"], ["--format", "json"]]) {
  Deno.test(`hpcai-rx fails after 15 s without a response ${flags.join(" ")}`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepted = listener.accept();
    const baseUrl = `http://127.0.0.1:${listener.addr.port}`;
    const host = new CapturedHost({ HPCAI_API_KEY: "key-7d1f", HPCAI_BASE_URL: baseUrl });
    using time = new FakeTime();
    const running = host.run(...flags, "run", "list");
    using _connection = await accepted;
    await time.tickAsync(14_999);
    assertEquals(host.stderr.text.includes("error:"), false);
    await time.tickAsync(1);
    const { code, stdout, stderr } = await running;
    assertEquals([code, stdout], [5, ""]);
    assert(stderr.includes(`error: Received no response from ${baseUrl} within 15 s\n`), stderr);
  });
}

Deno.test("hpcai-rx in its own process fails after 15 s on a port without a server", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const [command, ...args] = cliCommand("run", "list", "--format", "json");
  const startedAt = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { HPCAI_API_KEY: "key-7d1f", HPCAI_BASE_URL: `http://127.0.0.1:${port}` },
    stdin: "null",
    signal: AbortSignal.timeout(60_000),
  }).output();
  const tookMs = performance.now() - startedAt;
  assertEquals([code, new TextDecoder().decode(stdout)], [5, ""]);
  const lines = new TextDecoder().decode(stderr).trimEnd().split("\n").slice(-2);
  assert(lines[0]?.startsWith("error: The connection failed: "), lines[0]);
  assert(lines[0]?.endsWith(`; no response from http://127.0.0.1:${port} within 15 s`), lines[0]);
  assertEquals(lines[1], "Check the network and --base-url, then retry.");
  assert(tookMs > 14_000 && tookMs < 30_000, `${tookMs} ms`);
});
