import { assertEquals, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

const ROOT = new URL("../", import.meta.url);

/** Tests that do not end, and two that do. */
const TESTS = `
import { FakeTime } from "@std/testing/time";

const wait = () => new Promise<void>(() => setInterval(() => {}, 100));

Deno.test("waits", wait);
Deno.test(async function namedByItsFunction() { await wait(); });
Deno.test("waits in a step", async (test) => { await test.step("the step", wait); });
Deno.test({ name: "has other options", sanitizeOps: false, fn: wait });
Deno.test("loops", () => { while (true); });
Deno.test({
  name: "has a limit of its own",
  timeout: 60_000,
  fn: () => new Promise((resolve) => setTimeout(resolve, 1500)),
});
Deno.test("ends", () => {});
Deno.test("waits in virtual time", async () => {
  using _time = new FakeTime();
  await new Promise((resolve) => setTimeout(resolve, 1));
});
`;

Deno.test("time_limit.ts fails a test that does not end by name, and the tests after it run", async () => {
  const directory = await Deno.makeTempDir();
  const file = `${directory}/endless_test.ts`;
  await Deno.writeTextFile(file, TESTS);
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "tasks/test.ts", "--local", file],
    cwd: fileURLToPath(ROOT),
    env: { TEST_TIMEOUT_MS: "1000" },
  }).output();
  const output = stripVTControlCharacters(new TextDecoder().decode(stdout));
  const results = [...output.matchAll(/^(\S.*) \.\.\. (ok|FAILED)/gm)].map((
    [, name, result],
  ) => [name, result]);
  assertEquals(results, [
    ["waits", "FAILED"],
    ["namedByItsFunction", "FAILED"],
    ["waits in a step", "FAILED"],
    ["has other options", "FAILED"],
    ["loops", "FAILED"],
    ["has a limit of its own", "ok"],
    ["ends", "ok"],
    ["waits in virtual time", "FAILED"],
  ]);
  assertStringIncludes(output, "Test timed out after 1000ms");
  assertEquals(code, 1);
});
