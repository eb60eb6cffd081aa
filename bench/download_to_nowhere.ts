/**
 * Downloads an archive into a sink that keeps nothing, by `download$` or by bare `fetch`, and prints
 * the peak of this process's memory in KiB: `download_to_nowhere.ts (ours|fetch) <FakeApi as JSON>`.
 */
import { resourceUsage } from "node:process";
import { RestClient } from "@hpcai/rx";
import { lastValueFrom } from "rxjs";
import type { FakeApi } from "./fake_api_process.ts";
import { fetchArchive } from "./fetch_archive.ts";

const [by, apiJson = ""] = Deno.args;
const api: FakeApi = JSON.parse(apiJson);
const to = new WritableStream<Uint8Array>();
if (by === "ours") {
  const { apiKey, baseUrl } = api;
  await lastValueFrom(new RestClient({ apiKey, baseUrl }).download$(api.checkpoint, { to }));
} else {
  await (await fetchArchive(api)).body?.pipeTo(to);
}
console.log(resourceUsage().maxRSS);
