/**
 * `extract_to_directory.ts <directory> <FakeApi as JSON>`: extracts an archive, removes the files, and
 * prints the peak memory of this process in KiB.
 */
import { resourceUsage } from "node:process";
import { RestClient } from "@hpcai/rx";
import { extractArchive$ } from "@hpcai/rx/fs";
import { lastValueFrom } from "rxjs";
import type { FakeApi } from "./fake_api_process.ts";

const [directory = "", apiJson = ""] = Deno.args;
const { apiKey, baseUrl, checkpoint }: FakeApi = JSON.parse(apiJson);
await lastValueFrom(extractArchive$(new RestClient({ apiKey, baseUrl }), checkpoint, directory));
await Deno.remove(directory, { recursive: true });
console.log(resourceUsage().maxRSS);
