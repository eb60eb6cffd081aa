/**
 * `download_and_discard.ts (download$|fetch) <FakeApi as JSON>`: downloads an archive with `download$` or
 * with bare `fetch`, discards it, and prints the peak memory of this process in KiB.
 */
import { resourceUsage } from "node:process";
import { RestClient } from "@hpcai/rx";
import { lastValueFrom } from "rxjs";
import type { FakeApi } from "./fake_api_process.ts";
import { fetchArchive } from "./fetch_archive.ts";

const [method, apiJson = ""] = Deno.args;
const api: FakeApi = JSON.parse(apiJson);
const to = new WritableStream<Uint8Array>();
if (method === "download$") {
  const { apiKey, baseUrl } = api;
  await lastValueFrom(new RestClient({ apiKey, baseUrl }).download$(api.checkpoint, { to }));
} else {
  await (await fetchArchive(api)).body?.pipeTo(to);
}
console.log(resourceUsage().maxRSS);
