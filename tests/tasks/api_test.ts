import { assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };

const API = new URL("../../api/", import.meta.url);

Deno.test("api/ has one text for each entry of deno.json", () => {
  const texts = [...Deno.readDirSync(API)].map(({ name }) => name);
  const entries = Object.keys(config.exports).map((entry) =>
    entry === "." ? "mod.txt" : `${entry.slice(2)}.txt`
  );
  assertEquals(texts.toSorted(), entries.toSorted());
});

Deno.test("api/ has neither documentation nor private members", () => {
  const texts = [...Deno.readDirSync(API)].map(({ name }) =>
    Deno.readTextFileSync(new URL(name, API))
  );
  assertEquals(texts.flatMap((text) => text.match(/\/\*\*|\bprivate\b|#\w+/g) ?? []), []);
});
