import { assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };

/** The comment that a file begins with. */
const FIRST_COMMENT = /^\/\*\*(?:(?!\*\/)[^])*/;

// JSR's score asks for it.
for (const [entry, path] of Object.entries(config.exports)) {
  Deno.test(`the entry ${entry} begins with its documentation, which has an example`, async () => {
    const source = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
    const [documentation = ""] = FIRST_COMMENT.exec(source) ?? [];
    assertMatch(documentation, /```[^]*@module\b/);
  });
}
