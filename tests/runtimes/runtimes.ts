/** The runtimes, and how each runs the scenario. */
import { createHash } from "node:crypto";
import { BUN, CHROMIUM, DRIVER, HERE, node, output, TIMEOUT_MS, tool, versionOf } from "./tools.ts";

/** By the name of a step: "ok", "–" where the runtime does not support it, or the failure. */
export type Outcomes = Readonly<Record<string, string>>;

/** The environment of a scenario. */
export interface ScenarioEnvironment {
  /** The directory of the project with the npm package. */
  readonly project: string;
  /** The base URL of the fake API of this runtime. */
  readonly baseUrl: string;
}

/** A runtime. Both methods throw where it is not installed. */
export interface Runtime {
  version(): Promise<string>;
  run(environment: ScenarioEnvironment): Promise<Outcomes>;
}

/** The time limit for a worker that streams an archive. */
const PROXY_TIMEOUT_MS = 20_000;

/** All runtimes, by name. */
export const RUNTIMES: Readonly<Record<string, Runtime>> = {
  "Deno": inProcess(Deno.execPath(), (directory) => [
    "run",
    "--no-prompt",
    "--allow-net=127.0.0.1,localhost",
    `--allow-read=${directory}`,
    `--allow-write=${directory}`,
  ]),
  "Node 20": inProcess(node(20)),
  "Node 22": inProcess(node(22)),
  "Node 24": inProcess(node(24)),
  "Node 26": inProcess(node(26)),
  "Bun": inProcess(BUN),
  "Chromium": {
    version: () => versionOf(CHROMIUM),
    run: ({ baseUrl }) => inPage(new URL(`/scenario.html?api=${baseUrl}`, baseUrl)),
  },
  "workerd": { version: () => versionOf(tool("workerd/bin/workerd")), run: inWorker },
};

/** A runtime whose programs are processes with a disk. */
function inProcess(command: string, args: (directory: string) => string[] = () => []): Runtime {
  return {
    version: () => versionOf(command),
    async run({ project, baseUrl }) {
      const directory = await Deno.makeTempDir({ dir: project });
      const program = [...args(project), "in_process.mjs", baseUrl, directory];
      return JSON.parse(await output(command, program, project));
    },
  };
}

/** The outcomes of a page in Chromium. */
export async function inPage(page: URL): Promise<Outcomes> {
  return JSON.parse(await output(DRIVER, ["chromium.mjs", CHROMIUM, page.href]));
}

async function inWorker({ project, baseUrl }: ScenarioEnvironment): Promise<Outcomes> {
  const bundle = `${project}/worker.js`;
  const flags = ["--bundle", "--format=esm", "--conditions=workerd,worker", `--outfile=${bundle}`];
  await output(tool("esbuild/bin/esbuild"), ["in_worker.mjs", ...flags], project);
  const worker = new Deno.Command(DRIVER, {
    args: ["worker_host.mjs", bundle],
    cwd: HERE,
    stdin: "piped",
    stdout: "piped",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).spawn();
  const lines = worker.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const { value: url } = await lines.read();
    if (url === undefined) throw new Error("The worker does not listen");
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const scenario = await fetch(new URL(`/scenario?api=${baseUrl}`, url), { signal });
    const proxy = await testProxy(url, baseUrl).catch((error) => `FAIL ${error}`);
    return { ...await scenario.json(), proxy };
  } finally {
    await worker.stdin.close();
    await lines.cancel();
    await worker.status;
  }
}

/** Checks that a worker streams an archive: its first bytes arrive before the server sends the last. */
async function testProxy(worker: string, baseUrl: string): Promise<string> {
  const control = async (name: string) =>
    (await fetch(`${baseUrl}/control/${name}`, { method: "POST" })).json();
  const { apiKey, checkpointPath, sha256 } = await control("facts");
  await control("close-gate");
  const query = new URLSearchParams({ api: baseUrl, key: apiKey, checkpoint: checkpointPath });
  const signal = AbortSignal.timeout(PROXY_TIMEOUT_MS);
  const { body } = await fetch(new URL(`/archive?${query}`, worker), { signal });
  if (body === null) return "FAIL no body";
  const hash = createHash("sha256");
  let isGateOpen = false;
  for await (const chunk of body) {
    hash.update(chunk);
    if (!isGateOpen) await control("open-gate");
    isGateOpen = true;
  }
  return hash.digest("hex") === sha256 ? "ok" : "FAIL other bytes";
}
