/**
 * `save_to_file.ts <path> <FakeApi as JSON>`: saves an archive, removes it, and prints the peak memory of
 * this process in KiB.
 */
import { resourceUsage } from "node:process";
import { RestClient } from "@hpcai/rx";
import { saveArchive$ } from "@hpcai/rx/fs";
import { lastValueFrom } from "rxjs";
import type { FakeApi } from "./fake_api_process.ts";

const [path = "", apiJson = ""] = Deno.args;
const { apiKey, baseUrl, checkpoint }: FakeApi = JSON.parse(apiJson);
await lastValueFrom(saveArchive$(new RestClient({ apiKey, baseUrl }), checkpoint, path));
await Deno.remove(path);
console.log(resourceUsage().maxRSS);
