/**
 * `deno task test:runtimes [NAME …]`: installs the npm package into an empty project, runs one scenario
 * in each runtime, or in the named ones, and prints a table of the outcomes; then checks the facts about
 * browsers and examples/browser in Chromium. A runtime that is not installed is a failure.
 *
 * - Node, Bun and workerd come from npm, as pinned in tools/.
 * - Deno is the one that runs this program.
 * - Chromium is Debian's, or the environment variable CHROMIUM.
 */
import { browserExample, fileResponse, moduleResponse } from "../../examples/browser/server.ts";
import { buildNpm } from "../../tasks/build_npm.ts";
import { CORS_POLICIES, withCors } from "./cors.ts";
import { fakeApi } from "./fake_api.ts";
import { inPage, type Outcomes, RUNTIMES } from "./runtimes.ts";
import { type Handler, serve } from "./serve.ts";
import { CHROMIUM, DRIVER, HERE, installTools, output } from "./tools.ts";

/** The programs that are copied into the project, and the files of pages. */
const PROGRAMS = ["assertions.mjs", "scenario.mjs", "in_process.mjs", "in_worker.mjs"];
const PAGES = ["/assertions.mjs", "/scenario.html", "/scenario.mjs", "/facts.html", "/facts.mjs"];

async function install(project: string): Promise<void> {
  await installTools();
  const tarball = await buildNpm(project);
  for (const name of PROGRAMS) await Deno.copyFile(new URL(name, HERE), `${project}/${name}`);
  await Deno.writeTextFile(`${project}/package.json`, `{ "private": true, "type": "module" }`);
  await output("npm", ["install", "--no-audit", "--no-fund", tarball], project);
}

/** Serves a fake API below each name, and the pages of this directory. */
function router(apis: ReadonlyMap<string, Handler>, modules: URL): Handler {
  return (request, whenDisconnected) => {
    const { pathname } = new URL(request.url);
    const api = apis.get(decodeURIComponent(pathname.split("/")[1] ?? ""));
    if (api !== undefined) return api(request, whenDisconnected);
    return PAGES.includes(pathname)
      ? fileResponse(new URL(`.${pathname}`, HERE))
      : moduleResponse(modules, pathname);
  };
}

/** Runs the scenario in one runtime after the other, because each uses a whole processor. */
async function runScenarios(
  names: readonly string[],
  project: string,
  url: string,
): Promise<Map<string, Outcomes>> {
  const rows = new Map<string, Outcomes>();
  for (const name of names) {
    const runtime = RUNTIMES[name];
    if (runtime === undefined) throw new Error(`No runtime ${name}: ${Object.keys(RUNTIMES)}`);
    try {
      const version = await runtime.version();
      const outcomes = await runtime.run({
        project,
        baseUrl: `${url}/${encodeURIComponent(name)}`,
      });
      rows.set(`${name} (${version})`, { starts: "ok", ...outcomes });
    } catch (error) {
      rows.set(name, { starts: `FAIL ${error}` });
    }
  }
  return rows;
}

async function testExample(modules: URL, apiUrl: string): Promise<Outcomes> {
  const { apiKey } = await (await fetch(`${apiUrl}/control/facts`, { method: "POST" })).json();
  const handler = browserExample(modules, { baseUrl: apiUrl, apiKey, fetch });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
  const page = `http://127.0.0.1:${server.addr.port}/`;
  try {
    return JSON.parse(await output(DRIVER, ["example_page.mjs", CHROMIUM, page, apiUrl]));
  } finally {
    await server.shutdown();
  }
}

function printTable(rows: ReadonlyMap<string, Outcomes>): void {
  const steps = [...new Set([...rows.values()].flatMap((outcomes) => Object.keys(outcomes)))];
  const shorten = (outcome = "–") => outcome.split(" ")[0] ?? "";
  const first = Math.max(...[...rows.keys()].map((name) => name.length));
  const line = (name: string, cell: (step: string) => string) =>
    [name.padEnd(first), ...steps.map((step) => cell(step).padEnd(step.length))].join("  ");
  console.log(line("", (step) => step));
  for (const [name, outcomes] of rows) console.log(line(name, (step) => shorten(outcomes[step])));
}

function printFailures(outcomes: Outcomes, title: string): void {
  for (const [step, outcome] of Object.entries(outcomes)) {
    if (!outcome.startsWith("FAIL")) continue;
    console.log(`\n${title}: ${step}: ${outcome}`);
    Deno.exitCode = 1;
  }
}

function printList(title: string, outcomes: Outcomes): void {
  console.log(`\n${title}:`);
  for (const [step, outcome] of Object.entries(outcomes)) {
    console.log(`${outcome.split(" ")[0]?.padEnd(4)} ${step}`);
  }
  printFailures(outcomes, title);
}

const project = await Deno.makeTempDir();
try {
  await install(project);
  const names = Deno.args.length > 0 ? Deno.args : Object.keys(RUNTIMES);
  const modules = new URL(`file://${project}/`);
  const apis = new Map<string, Handler>([
    ...[...names, "example"].map((name) => [name, fakeApi()] as const),
    ...Object.entries(CORS_POLICIES).map(([name, cors]) =>
      [name, withCors(cors, fakeApi())] as const
    ),
  ]);
  await using server = await serve(router(apis, modules));
  const rows = await runScenarios(names, project, server.url);
  printTable(rows);
  for (const [name, outcomes] of rows) printFailures(outcomes, name);
  if (names.includes("Chromium")) {
    printList("Facts about browsers", await inPage(new URL("/facts.html", server.url)));
    printList("examples/browser", await testExample(modules, `${server.url}/example`));
  }
} finally {
  await Deno.remove(project, { recursive: true });
}
