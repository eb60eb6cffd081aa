/**
 * `deno task test:peer`: installs the Python SDK `hpcai` into a virtual environment, lets it and
 * this client do the same against fakes of the API that hold the same data, and compares what the
 * two got. Exits with 77 where the SDK can't be installed.
 */
import { ApiStatusError, RestClient } from "@hpcai/rx";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import { firstValueFrom, type Observable } from "rxjs";

const HERE = new URL("./", import.meta.url);
const SKIPPED = 77;

/** The same as in drive_sdk.py. */
const RUN = "eb78693b-380d-40f8-a709-ffe0da185718";
const PATH = `hpcai://${RUN}/training/final`;
const SAMPLER_PATH = `hpcai://${RUN}/sampler/step_0010-sampler`;

type Call = (client: RestClient) => Observable<unknown>;

/** By the SDK's names: what this client does where the SDK calls that method. */
const READING: Record<string, Call[]> = {
  list_training_runs: [
    (client) => client.listTrainingRuns$(),
    (client) => client.listTrainingRuns$({ limit: 5, offset: 2 }),
    (client) => client.listTrainingRuns$({ offset: 500 }),
  ],
  get_training_run: [
    (client) => client.getTrainingRun$(RUN),
    (client) => client.getTrainingRun$("nobody"),
  ],
  get_training_run_by_checkpoint_path: [
    (client) => client.getTrainingRunByCheckpointPath$(PATH),
    (client) => client.getTrainingRunByCheckpointPath$(SAMPLER_PATH),
  ],
  list_checkpoints: [
    (client) => client.listCheckpoints$(RUN),
    (client) => client.listCheckpoints$("nobody"),
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
  "what is left": [(client) => client.listCheckpoints$(RUN)],
};

/** What was got, by section and method: for each call what came of it. */
type Outcomes = Record<string, Record<string, unknown[]>>;

/** A value as drive_sdk.py prints it. */
async function plain(value: unknown): Promise<unknown> {
  if (value === undefined) return null;
  if (value instanceof Date) return value.getTime();
  if (value instanceof Uint8Array) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(value)));
    return { bytes: value.length, sha256: digest.toHex() };
  }
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(async ([key, part]) => [
    key.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`),
    await plain(part),
  ]);
  return Object.fromEntries(await Promise.all(entries));
}

async function outcome(result$: Observable<unknown>): Promise<unknown> {
  try {
    return await plain(await firstValueFrom(result$));
  } catch (error) {
    if (error instanceof ApiStatusError) return { error: error.name, status: error.status };
    throw error;
  }
}

async function callAll(
  client: RestClient,
  methods: Record<string, Call[]>,
): Promise<Record<string, unknown[]>> {
  const got: Record<string, unknown[]> = {};
  // One after the other, since a deletion changes what comes after it.
  for (const [method, calls] of Object.entries(methods)) {
    const outcomes: unknown[] = [];
    for (const call of calls) outcomes.push(await outcome(call(client)));
    got[method] = outcomes;
  }
  return got;
}

/** Serves a fake as long as the caller keeps the result. */
function serve(archiveResponse: FakeHpcaiOptions["archiveResponse"] & string) {
  const fake = new FakeHpcai({ archiveResponse });
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, fake.handler);
  return {
    apiKey: fake.apiKey,
    /** How many of the requests to the storage's origin brought the key along. */
    keysAtStorage: () => {
      const requests = fake.requests.filter(({ operation }) => operation === "storage");
      const withKey = requests.filter(({ headers }) => headers.has("X-API-Key"));
      return `${withKey.length} of ${requests.length}`;
    },
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function driveThisClient(): Promise<Outcomes> {
  await using bytes = serve("bytes");
  await using redirect = serve("redirect");
  const { apiKey } = bytes;
  const client = new RestClient({ apiKey, baseUrl: bytes.url });
  const redirected = new RestClient({ apiKey, baseUrl: redirect.url });
  const wrongKey = new RestClient({ apiKey: "wrong", baseUrl: bytes.url });
  const outcomes = {
    "API": await callAll(client, READING),
    "archive as bytes": await callAll(client, DOWNLOADING),
    "archive by redirect": await callAll(redirected, DOWNLOADING),
    "wrong key": await callAll(wrongKey, {
      list_training_runs: [(client) => client.listTrainingRuns$()],
    }),
    "deletion": await callAll(client, DELETION),
  };
  console.log(`This client's requests to storage with the key: ${redirect.keysAtStorage()}`);
  return outcomes;
}

async function driveSdk(python: string): Promise<Outcomes> {
  await using bytes = serve("bytes");
  await using redirect = serve("redirect");
  const { success, stdout } = await new Deno.Command(python, {
    args: ["drive_sdk.py", bytes.url, redirect.url, bytes.apiKey],
    cwd: HERE,
    env: { PYTHONPATH: "shims", PYTHONDONTWRITEBYTECODE: "1" },
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("The SDK's driver failed");
  console.log(`The SDK's requests to storage with the key: ${redirect.keysAtStorage()}`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Runs a command in this directory; whether it succeeded. */
async function run(command: string, ...args: string[]): Promise<boolean> {
  return (await new Deno.Command(command, { args, cwd: HERE }).spawn().status).success;
}

/** Makes a virtual environment with the SDK in it; `undefined` where pip does not find the SDK. */
async function installSdk(environment: string): Promise<string | undefined> {
  const python = `${environment}/bin/python`;
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
  const requirements = "requirements.txt";
  if (!await run("python3", "-m", "venv", environment)) throw new Error("python3 has no venv");
  if (!await run(python, ...install, "--constraint", requirements, "hpcai")) return undefined;
  if (await run(python, ...install, "--requirement", requirements)) return python;
  throw new Error("pip found the SDK, but not what it needs");
}

/** Prints a line for each of the SDK's methods; returns how many got the same and how many did not. */
function compare(sdk: Outcomes, ours: Outcomes): { passed: number; failed: number } {
  let [passed, failed] = [0, 0];
  for (const [section, methods] of Object.entries(sdk)) {
    for (const [method, theirs] of Object.entries(methods)) {
      // An Observable serves for both of the SDK's ways to call.
      const mine = ours[section]?.[method] ?? ours[section]?.[method.replace(/_async$/, "")];
      const found = [...differences(withoutExtras(mine), theirs)];
      if (found.length === 0) passed++;
      else failed++;
      console.log(`${section}: ${method} … ${found.length === 0 ? "same" : "DIFFERENT"}`);
      for (const difference of found.slice(0, MAX_SHOWN)) console.log(`  ${difference}`);
    }
  }
  return { passed, failed };
}

/** More differences of one method tell nothing new. */
const MAX_SHOWN = 5;

/** Fields that servers of the family send and the SDK does not know. */
const EXTRAS = ["size_bytes", "public", "expires_at", "user_metadata"];

/** What this client got, without what the SDK drops. */
function withoutExtras(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutExtras);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([name]) =>
    // A checkpoint of the SDK does not know its run.
    !EXTRAS.includes(name) && !(name === "training_run_id" && "checkpoint_id" in value)
  );
  return Object.fromEntries(fields.map(([name, field]) => [name, withoutExtras(field)]));
}

/** Where two JSON values differ, and how. */
function* differences(ours: unknown, theirs: unknown, path = "$"): Generator<string> {
  if (isContainer(ours) && isContainer(theirs) && Array.isArray(ours) === Array.isArray(theirs)) {
    for (const key of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
      yield* differences(ours[key], theirs[key], `${path}.${key}`);
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
    console.log("Skipped: pip can't install the Python SDK hpcai here.");
    Deno.exitCode = SKIPPED;
  } else {
    const { passed, failed } = compare(await driveSdk(python), await driveThisClient());
    console.log(`${passed} passed, ${failed} failed`);
    Deno.exitCode = failed === 0 ? 0 : 1;
  }
} finally {
  await Deno.remove(environment, { recursive: true });
}
