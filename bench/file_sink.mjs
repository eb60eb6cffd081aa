/**
 * `file_sink.mjs <fileSink | Writable.toWeb> <path> <FakeApi as JSON>`: downloads an archive into a file,
 * in Node, and prints the peak memory of this process in KiB.
 */
import { RestClient } from "@hpcai/rx";
import { fileSink } from "@hpcai/rx/fs";
import { createWriteStream } from "node:fs";
import { Writable } from "node:stream";
import { lastValueFrom } from "rxjs";

const [kind, path, apiJson] = process.argv.slice(2);
const { apiKey, baseUrl, checkpoint } = JSON.parse(apiJson);
const to = kind === "fileSink" ? fileSink(path) : Writable.toWeb(createWriteStream(path));
const startedAt = performance.now();
await lastValueFrom(new RestClient({ apiKey, baseUrl }).download$(checkpoint, { to }));
const ms = Math.round(performance.now() - startedAt);
console.log(JSON.stringify({ peakKib: process.resourceUsage().maxRSS, ms }));
