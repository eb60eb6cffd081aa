/** Saves a checkpoint in a process of its own: `saver.ts <SaverOptions as JSON>`. */
import { RestClient } from "@hpcai/rx";
import { lastValueFrom } from "rxjs";
import { saveWithin$ } from "../../src/fs/save_archive.ts";

/** What it is told. */
export interface SaverOptions {
  readonly apiKey: string;
  readonly baseUrl: string;
  readonly path: string;
  /** How long it waits for the lock of one that was killed, in milliseconds. */
  readonly leaseMs: number;
}

const { leaseMs, path, ...clientOptions }: SaverOptions = JSON.parse(Deno.args[0] ?? "");
const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";
const save$ = saveWithin$(leaseMs, new RestClient(clientOptions), checkpoint, path, {});
console.log(JSON.stringify(await lastValueFrom(save$)));
