/** The runtimes, and how the scenario gets into each. */
import { createHash } from "node:crypto";
import { BUN, CHROMIUM, DRIVER, HERE, node, output, TIMEOUT_MS, tool, versionOf } from "./tools.ts";

/** What was checked, and "ok", "–" where it can't be done there, or what went wrong. */
export type Outcomes = Readonly<Record<string, string>>;

/** Where a runtime finds what it needs. */
export interface Place {
  /** The directory of the project that has the package. */
  readonly project: string;
  /** The fake API, this runtime's own. */
  readonly baseUrl: string;
}

/** One runtime. Both methods throw where it is not there. */
export interface Runtime {
  version(): Promise<string>;
  run(place: Place): Promise<Outcomes>;
}

/** How long a worker may keep what it is given to itself. */
const PROXY_TIMEOUT_MS = 20_000;

/** All of them, by the names that users know. */
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

/** A runtime whose programs are processes, with a disk. */
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

/** What a page in Chromium says that came out. */
export async function inPage(page: URL): Promise<Outcomes> {
  return JSON.parse(await output(DRIVER, ["chromium.mjs", CHROMIUM, page.href]));
}

async function inWorker({ project, baseUrl }: Place): Promise<Outcomes> {
  const bundle = `${project}/worker.js`;
  const flags = ["--bundle", "--format=esm", "--conditions=workerd,worker", `--outfile=${bundle}`];
  await output(tool("esbuild/bin/esbuild"), ["in_worker.mjs", ...flags], project);
  const worker = new Deno.Command(DRIVER, {
    args: ["worker_host.mjs", bundle],
    cwd: HERE,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = worker.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const { value: url } = await lines.read();
    if (url === undefined) throw new Error("the worker does not listen");
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const scenario = await fetch(new URL(`/scenario?api=${baseUrl}`, url), { signal });
    const proxy = await proxied(url, baseUrl).catch((error) => `FAIL ${error}`);
    return { ...await scenario.json(), proxy };
  } finally {
    await worker.stdin.close();
    await lines.cancel();
    await worker.status;
  }
}

/** Whether a worker gives an archive on as it arrives: its first bytes before the last are made. */
async function proxied(worker: string, baseUrl: string): Promise<string> {
  const order = async (name: string) =>
    (await fetch(`${baseUrl}/order/${name}`, { method: "POST" })).json();
  const { apiKey, checkpointPath, sha256 } = await order("facts");
  await order("close-gate");
  const query = new URLSearchParams({ api: baseUrl, key: apiKey, checkpoint: checkpointPath });
  const signal = AbortSignal.timeout(PROXY_TIMEOUT_MS);
  const { body } = await fetch(new URL(`/archive?${query}`, worker), { signal });
  if (body === null) return "FAIL no body";
  const hash = createHash("sha256");
  let isOpen = false;
  for await (const chunk of body) {
    hash.update(chunk);
    if (!isOpen) await order("open-gate");
    isOpen = true;
  }
  return hash.digest("hex") === sha256 ? "ok" : "FAIL other bytes";
}
