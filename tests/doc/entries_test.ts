import { assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };

/** The first comment of a file. */
const FIRST_COMMENT = /^\/\*\*(?:(?!\*\/)[^])*/;

// The score of JSR includes this.
for (const [entry, path] of Object.entries(config.exports)) {
  Deno.test(`the entry ${entry} begins with documentation that has an example`, async () => {
    const source = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
    const [documentation = ""] = FIRST_COMMENT.exec(source) ?? [];
    assertMatch(documentation, /```[^]*@module\b/);
  });
}
