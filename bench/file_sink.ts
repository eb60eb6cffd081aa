/**
 * `deno task bench:sink`: measures the peak memory of a Node process that downloads a 2 GiB archive into
 * a file, runtime included: with `fileSink`, and with `Writable.toWeb(createWriteStream())`. Each
 * download has a process of its own. Prints a table without a verdict.
 */
import { buildNpm } from "../tasks/build_npm.ts";
import { installTools, node, output } from "../tests/runtimes/tools.ts";
import { type FakeApi, startFakeApi } from "./fake_api_process.ts";

const ARCHIVE_BYTES = 2 * 1024 ** 3;
const ROUNDS = 3;
const NODE_VERSIONS = [20, 22, 24];
const SINKS = ["fileSink", "Writable.toWeb"];
const PROGRAM = "file_sink.mjs";

async function install(project: string): Promise<void> {
  await installTools();
  await Deno.copyFile(new URL(PROGRAM, import.meta.url), `${project}/${PROGRAM}`);
  await Deno.writeTextFile(`${project}/package.json`, `{ "private": true, "type": "module" }`);
  const tarball = await buildNpm(project);
  await output("npm", ["install", "--no-audit", "--no-fund", tarball], project);
}

async function measure(version: number, sink: string, project: string, api: FakeApi) {
  const peaks: number[] = [];
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const path = `${project}/archive.tar.gz`;
    const text = await output(
      node(version),
      [PROGRAM, sink, path, JSON.stringify(api)],
      project,
    );
    const { peakKib, ms }: { peakKib: number; ms: number } = JSON.parse(text);
    peaks.push(Math.round(peakKib / 1024));
    rates.push(Math.round(ARCHIVE_BYTES / ms / 1000));
    await Deno.remove(path);
  }
  return { "peak, MiB": peaks.join(", "), "MB/s": rates.join(", ") };
}

const project = await Deno.makeTempDir();
try {
  await install(project);
  await using api = await startFakeApi({ archiveBytes: ARCHIVE_BYTES });
  const rows: Record<string, Awaited<ReturnType<typeof measure>>> = {};
  for (const version of NODE_VERSIONS) {
    for (const sink of SINKS) {
      rows[`Node ${version}, ${sink}`] = await measure(version, sink, project, api);
    }
  }
  console.table(rows);
} finally {
  await Deno.remove(project, { recursive: true });
}
