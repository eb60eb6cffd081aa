/**
 * `deno task test:peer`: installs the Python SDK `hpcai` into a virtual environment, performs the same
 * operations with it and with this client on fakes with equal data, and compares the results. Exits with
 * 77 where the SDK cannot be installed.
 */
import { ApiStatusError, RestClient } from "@hpcai/rx";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import { firstValueFrom, type Observable } from "rxjs";
import { serve } from "../integration/loopback_server.ts";

const HERE = new URL("./", import.meta.url);
const SKIPPED = 77;

/** The time limit of pip, and of the SDK's operations. */
const COMMAND_TIMEOUT_MS = 180_000;

/** Equal to the constants in drive_sdk.py. */
const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const PATH = `hpcai://${RUN}/training/final`;
const SAMPLER_PATH = `hpcai://${RUN}/sampler/step_0010-sampler`;

type Call = (client: RestClient) => Observable<unknown>;

/** The calls of this client for each method of the SDK. */
const READING: Record<string, Call[]> = {
  list_training_runs: [
    (client) => client.listTrainingRuns$(),
    (client) => client.listTrainingRuns$({ limit: 5, offset: 2 }),
    (client) => client.listTrainingRuns$({ offset: 500 }),
  ],
  get_training_run: [
    (client) => client.getTrainingRun$(RUN),
    (client) => client.getTrainingRun$("missing"),
  ],
  get_training_run_by_checkpoint_path: [
    (client) => client.getTrainingRunByCheckpointPath$(PATH),
    (client) => client.getTrainingRunByCheckpointPath$(SAMPLER_PATH),
  ],
  list_checkpoints: [
    (client) => client.listCheckpoints$(RUN),
    (client) => client.listCheckpoints$("missing"),
  ],
};
const DOWNLOADING: Record<string, Call[]> = {
  download_checkpoint_archive: [
    (client) => client.downloadCheckpointArchive$(RUN, "step_0010"),
    (client) => client.downloadCheckpointArchive$(RUN, "none"),
  ],
  download_checkpoint_archive_by_checkpoint_path: [
    (client) => client.downloadCheckpointArchiveByCheckpointPath$(PATH),
    (client) => client.downloadCheckpointArchiveByCheckpointPath$(SAMPLER_PATH),
  ],
};
const DELETION: Record<string, Call[]> = {
  delete_checkpoint: [
    (client) => client.deleteCheckpoint$(RUN, "step_0010"),
    (client) => client.deleteCheckpoint$(RUN, "step_0010"),
  ],
  delete_checkpoint_async: [(client) => client.deleteCheckpoint$(RUN, "step_0010-sampler")],
  delete_checkpoint_by_checkpoint_path: [
    (client) => client.deleteCheckpointByCheckpointPath$(`hpcai://${RUN}/training/step_0020`),
  ],
  delete_checkpoint_by_checkpoint_path_async: [
    (client) => client.deleteCheckpointByCheckpointPath$(PATH),
  ],
  "remaining checkpoints": [(client) => client.listCheckpoints$(RUN)],
};

/** The result of each call, by section and method. */
type Outcomes = Record<string, Record<string, unknown[]>>;

/** A value in the format of drive_sdk.py. */
async function toPlain(value: unknown): Promise<unknown> {
  if (value === undefined) return null;
  if (value instanceof Date) return value.getTime();
  if (value instanceof Uint8Array) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(value)));
    return { bytes: value.length, sha256: digest.toHex() };
  }
  if (Array.isArray(value)) return Promise.all(value.map(toPlain));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(async ([key, part]) => [
    key.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`),
    await toPlain(part),
  ]);
  return Object.fromEntries(await Promise.all(entries));
}

async function outcome(result$: Observable<unknown>): Promise<unknown> {
  try {
    return await toPlain(await firstValueFrom(result$));
  } catch (error) {
    if (error instanceof ApiStatusError) return { error: error.name, status: error.status };
    throw error;
  }
}

async function callAll(
  client: RestClient,
  methods: Record<string, Call[]>,
): Promise<Record<string, unknown[]>> {
  const results: Record<string, unknown[]> = {};
  // Sequentially, because a deletion changes the later results.
  for (const [method, calls] of Object.entries(methods)) {
    const outcomes: unknown[] = [];
    for (const call of calls) outcomes.push(await outcome(call(client)));
    results[method] = outcomes;
  }
  return results;
}

/** Serves a fake until the end of the block that declares the server with `await using`. */
function serveFake(archiveResponse: FakeHpcaiOptions["archiveResponse"] & string) {
  const fake = new FakeHpcai({ archiveResponse });
  const server = serve(fake.handler);
  return {
    apiKey: fake.apiKey,
    /** How many of the requests to the storage contain the key. */
    keysAtStorage: () => {
      const requests = fake.requests.filter(({ operation }) => operation === "storage");
      const withKey = requests.filter(({ headers }) => headers.has("X-API-Key"));
      return `${withKey.length} of ${requests.length}`;
    },
    url: server.url,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function driveThisClient(): Promise<Outcomes> {
  await using bytes = serveFake("bytes");
  await using redirect = serveFake("redirect");
  const { apiKey } = bytes;
  const client = new RestClient({ apiKey, baseUrl: bytes.url });
  const redirectClient = new RestClient({ apiKey, baseUrl: redirect.url });
  const wrongKey = new RestClient({ apiKey: "wrong", baseUrl: bytes.url });
  const outcomes = {
    "API": await callAll(client, READING),
    "archive as bytes": await callAll(client, DOWNLOADING),
    "archive by redirect": await callAll(redirectClient, DOWNLOADING),
    "wrong key": await callAll(wrongKey, {
      list_training_runs: [(client) => client.listTrainingRuns$()],
    }),
    "deletion": await callAll(client, DELETION),
  };
  console.log(`This client's requests to storage with the key: ${redirect.keysAtStorage()}`);
  return outcomes;
}

async function driveSdk(python: string): Promise<Outcomes> {
  await using bytes = serveFake("bytes");
  await using redirect = serveFake("redirect");
  const { success, stdout } = await new Deno.Command(python, {
    args: ["drive_sdk.py", bytes.url, redirect.url, bytes.apiKey],
    cwd: HERE,
    env: { PYTHONPATH: "shims", PYTHONDONTWRITEBYTECODE: "1" },
    stderr: "inherit",
    signal: AbortSignal.timeout(COMMAND_TIMEOUT_MS),
  }).output();
  if (!success) {
    throw new Error(`drive_sdk.py failed, or took longer than ${COMMAND_TIMEOUT_MS} ms`);
  }
  console.log(`The SDK's requests to storage with the key: ${redirect.keysAtStorage()}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Runs a command in this directory; returns whether it succeeded. */
async function run(command: string, ...args: string[]): Promise<boolean> {
  const signal = AbortSignal.timeout(COMMAND_TIMEOUT_MS);
  return (await new Deno.Command(command, { args, cwd: HERE, signal }).spawn().status).success;
}

/** Installs the SDK into a virtual environment; `undefined` where pip does not find the SDK. */
async function installSdk(environment: string): Promise<string | undefined> {
  const python = `${environment}/bin/python`;
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
  const requirements = "requirements.txt";
  if (!await run("python3", "-m", "venv", environment)) {
    throw new Error("Cannot create a virtual environment with python3");
  }
  if (!await run(python, ...install, "--constraint", requirements, "hpcai")) return undefined;
  if (await run(python, ...install, "--requirement", requirements)) return python;
  throw new Error("Cannot install the dependencies of the SDK with pip");
}

/** Prints a line for each method of the SDK; returns how many results are equal and how many differ. */
function compare(sdk: Outcomes, ours: Outcomes): { passed: number; failed: number } {
  let [passed, failed] = [0, 0];
  for (const [section, methods] of Object.entries(sdk)) {
    for (const [method, theirs] of Object.entries(methods)) {
      // One method of this client corresponds to a method and its `_async` variant.
      const own = ours[section]?.[method] ?? ours[section]?.[method.replace(/_async$/, "")];
      const differences = [...compareJson(withoutExtras(own), theirs)];
      if (differences.length === 0) passed++;
      else failed++;
      console.log(`${section}: ${method} … ${differences.length === 0 ? "same" : "DIFFERENT"}`);
      for (const difference of differences.slice(0, MAX_DIFFERENCES)) {
        console.log(`  ${difference}`);
      }
    }
  }
  return { passed, failed };
}

/** How many differences of a method are printed. */
const MAX_DIFFERENCES = 5;

/** Fields of servers of the same family that the SDK does not support. */
const EXTRAS = ["size_bytes", "public", "expires_at", "user_metadata"];

/** A result of this client without the fields that the SDK omits. */
function withoutExtras(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutExtras);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([name]) =>
    // A checkpoint of the SDK has no id of its run.
    !EXTRAS.includes(name) && !(name === "training_run_id" && "checkpoint_id" in value)
  );
  return Object.fromEntries(fields.map(([name, field]) => [name, withoutExtras(field)]));
}

/** The differences of two JSON values. */
function* compareJson(ours: unknown, theirs: unknown, path = "$"): Generator<string> {
  if (isContainer(ours) && isContainer(theirs) && Array.isArray(ours) === Array.isArray(theirs)) {
    for (const key of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
      yield* compareJson(ours[key], theirs[key], `${path}.${key}`);
    }
  } else if (ours !== theirs) {
    yield `${path}: this ${JSON.stringify(ours)}, SDK ${JSON.stringify(theirs)}`;
  }
}

function isContainer(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

const environment = await Deno.makeTempDir();
try {
  const python = await installSdk(environment);
  if (python === undefined) {
    console.log("Skipped: pip cannot install the Python SDK hpcai.");
    Deno.exitCode = SKIPPED;
  } else {
    const { passed, failed } = compare(await driveSdk(python), await driveThisClient());
    console.log(`${passed} passed, ${failed} failed`);
    Deno.exitCode = failed === 0 ? 0 : 1;
  }
} finally {
  await Deno.remove(environment, { recursive: true });
}
