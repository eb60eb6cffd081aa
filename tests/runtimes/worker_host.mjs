// `worker_host.mjs <bundle>`: runs a worker in workerd, Cloudflare's runtime, prints its URL, and ends
// when standard input ends.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import process from "node:process";

const { Miniflare } = createRequire(new URL("tools/", import.meta.url))("miniflare");
const miniflare = new Miniflare({
  modules: true,
  script: await readFile(process.argv[2], "utf8"),
  compatibilityDate: "2026-07-01",
  host: "127.0.0.1",
});
console.log((await miniflare.ready).href);
for await (const _ of process.stdin);
await miniflare.dispose();
