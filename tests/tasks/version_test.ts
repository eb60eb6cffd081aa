import { assertEquals, assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { VERSION } from "../../src/cli/version.ts";

Deno.test("VERSION is the version of deno.json", () => {
  assertEquals(VERSION, config.version);
});

Deno.test("CHANGELOG.md has a section for the version of deno.json", async () => {
  const changelog = await Deno.readTextFile(new URL("../../CHANGELOG.md", import.meta.url));
  assertMatch(changelog, new RegExp(`^## ${config.version.replaceAll(".", "\\.")}$`, "m"));
});
