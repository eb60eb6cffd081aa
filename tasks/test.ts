/**
 * `deno task test [--jsr | --local | --std DIRECTORY] [arguments of deno test]`: runs the given tests;
 * without arguments all tests, with coverage.
 */
import { stripVTControlCharacters } from "node:util";
import { stdFlags } from "./std_source.ts";

const SOURCES = new URL("../src/", import.meta.url);
const TIME_LIMIT = new URL("../tests/time_limit.ts", import.meta.url);

/** The permissions of tests: servers on this host, and a directory that is removed afterwards. */
const permissions = (directory: string) => [
  "--allow-env",
  "--allow-net=127.0.0.1,localhost",
  "--allow-read",
  `--allow-run=${["bash", "gzip", "nginx", "node", "python3", "tar", Deno.execPath()].join(",")}`,
  `--allow-write=${directory}`,
];

/** Converts the last line of Deno's output to the form that CI reads: `12 passed, 0 failed`. */
export function closingLine(output: string): string | undefined {
  const closing = /^(?:ok|FAILED) \| (\d+) passed.*? \| (\d+) failed(?:.*? \| (\d+) ignored)?/gm;
  // The last match: a test may run `deno test` itself.
  const counts = [...stripVTControlCharacters(output).matchAll(closing)].at(-1);
  if (counts === undefined) return undefined;
  const [, passed, failed, ignored] = counts;
  return `${passed} passed, ${failed} failed${ignored === undefined ? "" : `, ${ignored} skipped`}`;
}

async function runTests(directory: string): Promise<number> {
  const { flags, args } = await stdFlags(Deno.args, directory);
  const coverage = `${directory}/coverage`;
  const isFullRun = args.length === 0;
  const tests = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      ...flags,
      ...permissions(directory),
      `--preload=${TIME_LIMIT}`,
      ...(isFullRun ? [`--coverage=${coverage}`, "--coverage-raw-data-only"] : []),
      ...args,
    ],
    env: { TMPDIR: directory, TEMP: directory },
    stdout: "piped",
  }).spawn();
  const [terminalStream, outputStream] = tests.stdout.tee();
  const [output] = await Promise.all([
    new Response(outputStream).text(),
    terminalStream.pipeTo(Deno.stdout.writable, { preventClose: true }),
  ]);
  const closing = closingLine(output);
  if (closing !== undefined) {
    if (isFullRun) await printCoverage(coverage);
    console.log(closing);
  }
  return (await tests.status).code;
}

async function printCoverage(coverage: string): Promise<void> {
  await new Deno.Command(Deno.execPath(), {
    args: ["coverage", `--include=^${SOURCES.href}`, coverage],
  }).spawn().status;
}

if (import.meta.main) {
  const directory = await Deno.makeTempDir();
  try {
    Deno.exitCode = await runTests(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
