/**
 * Saves or extracts a checkpoint, in another process, in Deno or in Node:
 * `saver.ts <SaverOptions as JSON>`. Prints the last event; exits with 1 and the error if it fails.
 */
import { RestClient } from "@hpcai/rx";
import process from "node:process";
import { lastValueFrom } from "rxjs";
import { extractArchive$, saveArchive$ } from "@hpcai/rx/fs";

/** The options of a saver. */
export interface SaverOptions {
  readonly apiKey: string;
  readonly baseUrl: string;
  readonly path: string;
  /** Default: that of `saveArchive$`. */
  readonly overwrite?: boolean;
  /** Whether to extract the archive into the directory `path`. */
  readonly isExtracted?: boolean;
}

const { path, overwrite, isExtracted, ...clientOptions }: SaverOptions = JSON.parse(
  process.argv[2] ?? "",
);
const client = new RestClient({ ...clientOptions, retry: false });
const checkpoint = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";
const events$ = isExtracted
  ? extractArchive$(client, checkpoint, path, { overwrite })
  : saveArchive$(client, checkpoint, path, { overwrite });
console.log(JSON.stringify(await lastValueFrom<unknown>(events$)));
