import { assertEquals, assertNotMatch, assertThrows } from "@std/assert";
import { stub } from "@std/testing/mock";
import { InvalidArgumentError } from "../src/errors.ts";
import { toClientSettings } from "../src/client_settings.ts";
import type { RestClientOptions } from "../src/options.ts";
import { stubGlobal } from "./stub_global.ts";

const apiKey = "sk-secret";

function settingsError(options: RestClientOptions): InvalidArgumentError {
  return assertThrows(() => toClientSettings(options), InvalidArgumentError);
}

/** Sets environment variables until the end of the block. */
function setEnvironment(variables: Readonly<Record<string, string>>): Disposable {
  const names = ["HPCAI_API_KEY", "HPCAI_BASE_URL"];
  const before = names.map((name) => [name, Deno.env.get(name)] as const);
  const set = (name: string, value: string | undefined) =>
    value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  names.forEach((name) => set(name, variables[name]));
  return { [Symbol.dispose]: () => before.forEach(([name, value]) => set(name, value)) };
}

Deno.test("toClientSettings has the documented defaults", () => {
  using _ = setEnvironment({});
  const options = toClientSettings({ apiKey });
  assertEquals(options.baseUrl.href, "https://www.hpc-ai.com/finetunesdk");
  assertEquals(options.timeoutMs, 60_000);
  assertEquals(options.maxConcurrentRequests, 8);
  assertEquals(options.maxJsonBytes, 67_108_864);
  assertEquals(options.retry, {
    maxRetries: Infinity,
    maxElapsedMs: 30_000,
    maxInterruptionMs: 300_000,
    initialDelayMs: 500,
    maxDelayMs: 10_000,
    maxRetryAfterMs: 60_000,
  });
});

Deno.test("toClientSettings reads missing options from HPCAI_API_KEY and HPCAI_BASE_URL", () => {
  using _ = setEnvironment({
    HPCAI_API_KEY: "from-env",
    HPCAI_BASE_URL: "http://localhost:8000/x",
  });
  const fromEnvironment = toClientSettings({});
  assertEquals(fromEnvironment.apiKey, "from-env");
  assertEquals(fromEnvironment.baseUrl.href, "http://localhost:8000/x");
  const passed = toClientSettings({ apiKey, baseUrl: "https://h.example" });
  assertEquals(passed.apiKey, apiKey);
  assertEquals(passed.baseUrl.href, "https://h.example/");
});

Deno.test("toClientSettings ignores an empty environment variable", () => {
  using _ = setEnvironment({ HPCAI_API_KEY: "", HPCAI_BASE_URL: "" });
  assertEquals(settingsError({}).argument, "apiKey");
  assertEquals(toClientSettings({ apiKey }).baseUrl.href, "https://www.hpc-ai.com/finetunesdk");
});

Deno.test("toClientSettings without a key names the option and the environment variable", () => {
  using _ = setEnvironment({});
  const { message } = settingsError({});
  assertEquals(
    message,
    "apiKey is missing. Pass the option apiKey, or set the environment variable HPCAI_API_KEY.",
  );
});

/** Runs toClientSettings in Deno with a key in the environment; returns the base URL or the error. */
async function outcomeWith(permissions: readonly string[], options: string): Promise<string> {
  const program = `import { toClientSettings } from ${
    JSON.stringify(import.meta.resolve("../src/client_settings.ts"))
  };
    try { console.log(toClientSettings(${options}).baseUrl.href); }
    catch (error) { console.log(error.name, error.message); }`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", ...permissions, file],
      env: { HPCAI_API_KEY: "k", HPCAI_BASE_URL: "https://other.example" },
      stdin: "null",
    }).output();
    assertEquals(new TextDecoder().decode(stderr), "");
    return new TextDecoder().decode(stdout).trim();
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("toClientSettings reports a key that Deno has no permission to read, without a prompt", async () => {
  assertEquals(
    await outcomeWith([], "{}"),
    "InvalidArgumentError apiKey cannot be read from HPCAI_API_KEY, since Deno lacks the permission. " +
      "Run with --allow-env=HPCAI_API_KEY,HPCAI_BASE_URL, or pass the option apiKey.",
  );
});

Deno.test("toClientSettings rejects a key from the environment while HPCAI_BASE_URL is unreadable", async () => {
  const keyAlone = ["--allow-env=HPCAI_API_KEY"];
  assertEquals(
    await outcomeWith(keyAlone, "{}"),
    "InvalidArgumentError baseUrl cannot be read from HPCAI_BASE_URL, since Deno lacks the " +
      "permission. Run with --allow-env=HPCAI_API_KEY,HPCAI_BASE_URL, or pass the option baseUrl.",
  );
  assertEquals(
    await outcomeWith(keyAlone, '{ baseUrl: "https://given.example" }'),
    "https://given.example/",
  );
  assertEquals(await outcomeWith(["--allow-env"], "{}"), "https://other.example/");
});

Deno.test("apiKey as an option needs no permission to read the environment", async () => {
  assertEquals(
    await outcomeWith([], '{ apiKey: "k" }'),
    "https://www.hpc-ai.com/finetunesdk",
  );
});

Deno.test("toClientSettings reads `process.env` in Node", () => {
  using _deno = stubGlobal("Deno", undefined);
  using _process = stubGlobal("process", { env: { HPCAI_API_KEY: "from-node" } });
  assertEquals(toClientSettings({}).apiKey, "from-node");
});

Deno.test("toClientSettings reads no environment in a browser", () => {
  using _deno = stubGlobal("Deno", undefined);
  using _process = stubGlobal("process", undefined);
  assertEquals(settingsError({}).argument, "apiKey");
});

Deno.test("baseUrl may be relative in a page, and then requires no key", () => {
  using _deno = stubGlobal("Deno", undefined);
  using _process = stubGlobal("process", undefined);
  using _location = stubGlobal("location", { href: "https://app.example/runs/7" });
  const options = toClientSettings({ baseUrl: "/api/hpcai" });
  assertEquals(options.baseUrl.href, "https://app.example/api/hpcai");
  assertEquals(options.apiKey, undefined);
});

for (
  const [what, key] of [
    ["empty", ""],
    ["blank", "  "],
    ["with a line feed", "sk-secret\n"],
    ["with a carriage return", "sk-\rsecret"],
    ["with a character beyond Latin-1", "sk-secret-ключ"],
    ["with a control character", "sk-secret\0"],
    ["that is a number", 7],
  ] as const
) {
  Deno.test(`apiKey ${what} is invalid, and the error does not repeat it`, () => {
    // JavaScript callers can pass any value.
    const error = settingsError({ apiKey: key as string });
    assertEquals(error.argument, "apiKey");
    assertNotMatch(Deno.inspect(error), /secret/);
  });
}

for (
  const [baseUrl, problem] of [
    ["https://user:pass@h.example/", /contains credentials/],
    ["https://h.example/?token=pass", /query or a fragment/],
    ["https://h.example/#pass", /query or a fragment/],
    ["ftp://h.example/", /neither https: nor http:/],
    ["file:///etc", /neither https: nor http:/],
    ["http://h.example/", /clear text/],
    ["http://127.0.0.1.h.example/", /clear text/],
    ["http://10.0.0.1/", /clear text/],
    ["/relative", /not an absolute URL/],
    ["", /not an absolute URL/],
  ] as const
) {
  Deno.test(`baseUrl ${JSON.stringify(baseUrl)} is invalid, and the error names the reason`, () => {
    using _ = setEnvironment({});
    const error = settingsError({ apiKey, baseUrl });
    assertEquals(error.argument, "baseUrl");
    assertEquals(problem.test(error.message), true, error.message);
    assertNotMatch(error.message, /pass/);
  });
}

for (
  const baseUrl of [
    "http://localhost:8000",
    "http://api.localhost",
    "http://127.0.0.1:8000/x",
    "http://127.8.9.1",
    "http://[::1]:8000",
    new URL("https://h.example/finetunesdk/"),
  ]
) {
  Deno.test(`baseUrl ${baseUrl} is valid`, () => {
    assertEquals(toClientSettings({ apiKey, baseUrl }).baseUrl.href, new URL(baseUrl).href);
  });
}

Deno.test("allowInsecureHttp allows http: to any host", () => {
  const options = { apiKey, baseUrl: "http://h.example/", allowInsecureHttp: true };
  assertEquals(toClientSettings(options).baseUrl.href, "http://h.example/");
});

for (
  const [argument, options] of [
    ["timeoutMs", { timeoutMs: 0 }],
    ["timeoutMs", { timeoutMs: NaN }],
    ["timeoutMs", { timeoutMs: 2 ** 31 }],
    ["maxConcurrentRequests", { maxConcurrentRequests: 0 }],
    ["maxConcurrentRequests", { maxConcurrentRequests: 1.5 }],
    ["maxConcurrentRequests", { maxConcurrentRequests: Infinity }],
    ["retry.maxRetries", { retry: { maxRetries: -1 } }],
    ["retry.maxRetries", { retry: { maxRetries: 1.5 } }],
    ["retry.maxElapsedMs", { retry: { maxElapsedMs: -1 } }],
    ["retry.maxInterruptionMs", { retry: { maxInterruptionMs: Infinity } }],
    ["retry.initialDelayMs", { retry: { initialDelayMs: -1 } }],
    ["retry.maxDelayMs", { retry: { maxDelayMs: Infinity } }],
    ["retry.maxRetryAfterMs", { retry: { maxRetryAfterMs: NaN } }],
    ["fetch", { fetch: "fetch" }],
    ["retry", { retry: 3 }],
    ["retry", { retry: true }],
    ["allowInsecureHttp", { allowInsecureHttp: "false" }],
    ["headers", { headers: 5 }],
    ["headers", { headers: { "bad name": "sk-secret" } }],
    ["headers", { headers: { "X-Token": "sk-secret\n\n1" } }],
  ] as const
) {
  Deno.test(`${argument} of ${Deno.inspect(options)} is invalid`, () => {
    const error = settingsError({ apiKey, ...options } as RestClientOptions);
    assertEquals(error.argument, argument);
    assertNotMatch(error.message, /sk-secret/);
  });
}

for (const options of [null, "key", 7, []]) {
  Deno.test(`toClientSettings rejects ${Deno.inspect(options)}`, () => {
    assertEquals(settingsError(options as RestClientOptions).argument, "options");
  });
}

Deno.test("apiKey is trimmed", () => {
  assertEquals(toClientSettings({ apiKey: " sk-secret " }).apiKey, "sk-secret");
});

Deno.test("retry with an undefined field keeps the default", () => {
  const { retry } = toClientSettings({
    apiKey,
    retry: { maxRetries: undefined, maxDelayMs: 1 } as never,
  });
  assertEquals([retry.maxRetries, retry.maxDelayMs], [Infinity, 1]);
});

Deno.test("retry: false turns retries off", () => {
  assertEquals(toClientSettings({ apiKey, retry: false }).retry.maxRetries, 0);
});

Deno.test("fetch defaults to the global one, looked up at each call", async () => {
  const { fetch } = toClientSettings({ apiKey });
  using fetchStub = stub(globalThis, "fetch", () => Promise.resolve(new Response("stubbed")));
  assertEquals(await (await fetch("https://h.example/")).text(), "stubbed");
  assertEquals(fetchStub.calls.length, 1);
});
