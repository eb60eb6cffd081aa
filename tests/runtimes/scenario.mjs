// Every feature of the client, in every runtime. The server is fake_api.ts. Imports only what browsers
// and workers have, too.
import { RestClient } from "@hpcai/rx";
import { filter, firstValueFrom, lastValueFrom, toArray } from "rxjs";
import { cutAfterRead, equal, rejects } from "./assertions.mjs";

const STEP_TIMEOUT_MS = 20_000;

/**
 * Runs all steps.
 *
 * @param baseUrl The base URL of the fake API.
 * @param options `disk`: the entry ./fs, `readFile` and a `directory`, in runtimes with a disk.
 * `hidesRedirects`: whether the runtime hides the target of a redirect.
 * @returns For each step "ok", "–" where the runtime does not support it, or the failure.
 */
export async function runScenario(baseUrl, { disk, hidesRedirects = false } = {}) {
  const control = async (name, body = null) => {
    const request = { method: "POST", body: JSON.stringify(body) };
    const response = await fetch(`${baseUrl}/control/${name}`, request);
    if (!response.ok) throw new Error(`The command ${name} failed with status ${response.status}`);
    return response.json();
  };
  const facts = await control("facts");
  const makeClient = (options) =>
    new RestClient({ apiKey: facts.apiKey, baseUrl, retry: { initialDelayMs: 1 }, ...options });
  const context = { control, facts, makeClient, client: makeClient(), disk, hidesRedirects };
  const outcomes = {};
  for (const [name, step] of Object.entries(steps)) {
    outcomes[name] = await withTimeout(STEP_TIMEOUT_MS, step(context)).then(
      (outcome) => outcome ?? "ok",
      (error) => `FAIL ${error?.stack ?? error}`,
    );
  }
  return outcomes;
}

const UNSUPPORTED = "–";

const steps = {
  async "list all"({ client, facts }) {
    const runs = await lastValueFrom(client.listAllTrainingRuns$().pipe(toArray()));
    equal(runs.map((run) => run.trainingRunId).join(), facts.trainingRunIds.join());
  },

  async get({ client, facts }) {
    const [trainingRunId] = facts.trainingRunIds;
    const run = await firstValueFrom(client.getTrainingRun$(trainingRunId));
    equal(run.trainingRunId, trainingRunId);
    equal(run.lastRequestTime instanceof Date, true);
  },

  async checkpoints({ client, facts: { checkpoint } }) {
    const { checkpoints } = await firstValueFrom(client.listCheckpoints$(checkpoint.trainingRunId));
    equal(checkpoints[0]?.checkpointId, checkpoint.checkpointId);
  },

  async download({ client, facts }) {
    const sink = collectingSink();
    const options = { to: sink.writable, progressIntervalMs: 0 };
    const events = await lastValueFrom(
      client.download$(facts.checkpoint, options).pipe(toArray()),
    );
    const loaded = events.map((event) => event.loaded);
    equal(loaded.every((bytes, index) => index === 0 || bytes >= loaded[index - 1]), true);
    equal(
      events.some((event) => event.type === "progress" && event.total === facts.byteLength),
      true,
    );
    equal(events.at(-1).type, "complete");
    equal(await sha256(await sink.bytes()), facts.sha256);
  },

  async entry({ client, facts: { checkpoint } }) {
    const config = await firstValueFrom(
      client.readArchiveEntry$(checkpoint, "adapter_config.json"),
    );
    equal(JSON.parse(new TextDecoder().decode(config)).peft_type, "LORA");
  },

  /** The first bytes arrive before the server sends the last. */
  async stream({ client, control, facts: { checkpoint, sha256: expected } }) {
    await control("close-gate");
    const { readable, writable } = new TransformStream();
    const done = lastValueFrom(client.download$(checkpoint, { to: writable }));
    const reader = readable.getReader();
    const first = await reader.read();
    await control("open-gate");
    const chunks = [first.value];
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      chunks.push(next.value);
    }
    await done;
    equal(await sha256(await new Blob(chunks).arrayBuffer()), expected);
  },

  /** Unsubscribing disconnects from the server. */
  async cancel({ client, control, facts: { checkpoint } }) {
    await control("watch-disconnects");
    await control("fault", { type: "stall", afterBytes: 300_000, on: "archive" });
    await firstValueFrom(
      client.download$(checkpoint, { to: collectingSink().writable, progressIntervalMs: 0 }).pipe(
        filter((event) => event.type === "progress" && event.loaded > 0),
      ),
    );
    await control("disconnect");
  },

  async resume({ client, control, facts: { checkpoint, sha256: expected } }) {
    const before = (await control("requests")).length;
    const cut = await cutAfterRead(control);
    const sink = collectingSink();
    const options = { to: sink.writable, progressIntervalMs: 0 };
    await lastValueFrom(client.download$(checkpoint, options).pipe(cut));
    equal(await sha256(await sink.bytes()), expected);
    const [first, second] = (await control("requests")).slice(before).map((request) =>
      request.range
    );
    equal(first, null);
    equal(/^bytes=[1-9]\d*-$/.test(second), true);
  },

  /** A redirect to another origin is followed without the key, or fails where it is hidden. */
  async redirect({ client, control, facts: { checkpoint, sha256: expected }, hidesRedirects }) {
    await control("redirect");
    const download = firstValueFrom(client.downloadCheckpointArchive$(
      checkpoint.trainingRunId,
      checkpoint.checkpointId,
    ));
    if (hidesRedirects) return void await rejects(download, "ApiRedirectError");
    equal(await sha256(await download), expected);
    equal((await control("requests")).at(-1).operation, "storage");
    equal((await control("requests")).at(-1).apiKey, null);
  },

  async delete({ client, facts: { trainingRunIds } }) {
    const trainingRunId = trainingRunIds[1];
    const list = () => firstValueFrom(client.listCheckpoints$(trainingRunId));
    const [checkpoint, ...others] = (await list()).checkpoints;
    equal(
      await firstValueFrom(client.deleteCheckpoint$(trainingRunId, checkpoint.checkpointId)),
      undefined,
    );
    equal((await list()).checkpoints.length, others.length);
  },

  /** Each class of error except `UnsafeArchiveError`, which requires a disk. */
  async errors({ client, makeClient, control, facts: { checkpoint } }) {
    const withoutRetry = makeClient({ retry: false });
    const byStatus = {
      400: "BadRequestError",
      401: "AuthenticationError",
      403: "PermissionDeniedError",
      404: "NotFoundError",
      409: "ConflictError",
      422: "UnprocessableEntityError",
      429: "RateLimitError",
      500: "InternalServerError",
    };
    for (const [status, name] of Object.entries(byStatus)) {
      await control("fault", { type: "status", status: Number(status), on: "getTrainingRun" });
      const error = await rejects(firstValueFrom(withoutRetry.getTrainingRun$("run")), name);
      equal(error.status, Number(status));
    }
    const page = (client = withoutRetry) => firstValueFrom(client.listTrainingRuns$());
    const fault = (fault) => control("fault", { on: "listTrainingRuns", ...fault });

    await fault({ type: "cut", afterBytes: 5 });
    await rejects(page(), "ApiConnectionError");
    await fault({ type: "delay", ms: 10_000 });
    await rejects(page(makeClient({ retry: false, timeoutMs: 50 })), "ApiTimeoutError");
    await fault({ type: "redirect", location: "ftp://127.0.0.1/" });
    await rejects(page(), "ApiRedirectError");
    await fault({ type: "malformed-json" });
    await rejects(page(), "ApiResponseValidationError");
    await rejects(
      firstValueFrom(withoutRetry.listTrainingRuns$({ limit: 0 })),
      "InvalidArgumentError",
    );
    await rejects(
      firstValueFrom(withoutRetry.getTrainingRunByCheckpointPath$("no path")),
      "InvalidCheckpointPathError",
    );
    await control("ignore-offset", true);
    await rejects(lastValueFrom(client.listAllTrainingRuns$()), "InconsistentListingError");
    await control("ignore-offset", false);

    const entry = (path) => firstValueFrom(withoutRetry.readArchiveEntry$(checkpoint, path));
    await rejects(entry("no such entry"), "ArchiveEntryNotFoundError");
    await fault({ type: "status", status: 200, body: "no tar", on: "archive" });
    await rejects(entry("adapter_config.json"), "InvalidArchiveError");
    await fault({ type: "cut", afterBytes: 300_000, on: "archive" });
    await rejects(
      lastValueFrom(withoutRetry.download$(checkpoint, { to: collectingSink().writable })),
      "DownloadInterruptedError",
    );
  },

  async save({ client, disk, control, facts: { checkpoint, sha256: expected } }) {
    if (disk === undefined) return UNSUPPORTED;
    await control("fault", { type: "cut", afterBytes: 500_000, on: "archive" });
    const path = `${disk.directory}/archive.tar.gz`;
    const saved = await lastValueFrom(
      disk.saveArchive$(client, checkpoint, path, { verify: true }),
    );
    equal(saved.type, "complete");
    equal(saved.sha256, expected);
    equal(await sha256(await disk.readFile(path)), expected);
  },

  async "file sink"({ client, disk, control, facts: { checkpoint, sha256: expected } }) {
    if (disk === undefined) return UNSUPPORTED;
    await control("fault", { type: "cut", afterBytes: 500_000, on: "archive" });
    const path = `${disk.directory}/sink.tar.gz`;
    const download = () => lastValueFrom(client.download$(checkpoint, { to: disk.fileSink(path) }));
    await download();
    equal(await sha256(await disk.readFile(path)), expected);
    await rejects(download(), "PathExistsError");
    equal(await sha256(await disk.readFile(path)), expected);
  },

  async extract({ client, disk, control, facts: { checkpoint } }) {
    if (disk === undefined) return UNSUPPORTED;
    const directory = `${disk.directory}/extracted`;
    await lastValueFrom(disk.extractArchive$(client, checkpoint, directory));
    const config = await firstValueFrom(
      client.readArchiveEntry$(checkpoint, "adapter_config.json"),
    );
    equal(
      await sha256(await disk.readFile(`${directory}/adapter_config.json`)),
      await sha256(config),
    );
    await control("unsafe-archive");
    await rejects(
      lastValueFrom(disk.extractArchive$(client, checkpoint, `${disk.directory}/unsafe`)),
      "UnsafeArchiveError",
    );
  },
};

/** A sink that collects its bytes. */
function collectingSink() {
  const chunks = [];
  return {
    writable: new WritableStream({ write: (chunk) => void chunks.push(chunk.slice()) }),
    bytes: () => new Blob(chunks).arrayBuffer(),
  };
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function withTimeout(ms, promise) {
  let timer;
  const timeout = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not complete after ${ms} ms`)), ms);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}
