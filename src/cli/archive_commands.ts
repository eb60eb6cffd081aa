import type { Command } from "commander";
import { realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { concatMap, defer, filter, take, tap, throwIfEmpty } from "rxjs";
import { isSameEntryName } from "../download/archive_entries.ts";
import { extractArchive$ } from "../fs/extract_archive.ts";
import type { ExtractCompleteEvent } from "../fs/extract_event.ts";
import { saveArchive$, type SaveCompleteEvent } from "../fs/save_archive.ts";
import type { CheckpointIds } from "../types.ts";
import { checkpointNamed, nameCheckpoint } from "./arguments.ts";
import type { Action } from "./command.ts";
import { EXIT_CODES, Failure } from "./failure.ts";
import { type CliHost, write } from "./host.ts";
import { count, printableLines, size } from "./text.ts";

interface DestinationOptions {
  readonly output?: string;
  readonly force?: true;
}

/** Adds `checkpoint download`, `checkpoint extract` and `checkpoint cat`. */
export function addArchiveCommands(checkpoint: Command, action: Action): void {
  nameCheckpoint(checkpoint.command("download"))
    .description("Save a checkpoint's archive, a .tar.gz. What breaks off goes on when run again.")
    .option("-o, --output <path>", "the file, or a directory for it")
    .option("--force", "replace a file that is there")
    .action(action(
      (
        { client, output, terminal },
        path: string,
        checkpointId: string | undefined,
        options: DestinationOptions,
      ) => {
        const ids = checkpointNamed(path, checkpointId);
        return defer(() => archivePath(ids, options.output)).pipe(
          concatMap((target) =>
            output.outcome$(
              saveArchive$(client, ids, target, { overwrite: options.force }).pipe(
                terminal.bar("Downloading"),
              ),
              (event) => event.type === "complete" ? saved(event) : [],
            )
          ),
        );
      },
      "Run the same command again to resume.",
    ));

  nameCheckpoint(checkpoint.command("extract"))
    .description(
      "Extract a checkpoint's archive into a new directory, which is whole or not there.",
    )
    .option("-o, --output <directory>", "the directory to make")
    .option("--force", "replace a directory that is there, with all that is in it")
    .action(action(
      (
        { client, host, output, terminal },
        path: string,
        checkpointId: string | undefined,
        options: DestinationOptions,
      ) => {
        const ids = checkpointNamed(path, checkpointId);
        const directory = options.output ?? archiveName(ids);
        return defer(() => requireReplaceable(directory, host)).pipe(
          concatMap(() =>
            output.outcome$(
              extractArchive$(client, ids, directory, { overwrite: options.force }).pipe(
                terminal.bar("Extracting"),
              ),
              (event) => event.type === "complete" ? extracted(event) : [],
            )
          ),
        );
      },
      "Nothing was kept. Run the same command again to start over.",
    ));

  checkpoint.command("cat")
    .description("Write one file of a checkpoint's archive to standard output.")
    .argument("<path>", "the checkpoint, hpcai://…")
    .argument("<file>", "the file in the archive, such as adapter_config.json")
    .action(action(({ client, host }, path: string, file: string) => {
      const names: string[] = [];
      return client.archiveEntries$(path).pipe(
        tap((entry) => names.push(entry.path)),
        filter((entry) => entry.type === "file" && isSameEntryName(entry.path, file)),
        concatMap(({ body }) => body.pipeTo(outputSink(host))),
        take(1),
        throwIfEmpty(() => noFile(file, names)),
      );
    }));
}

/** The name of a checkpoint's file or directory, of characters that every file system takes. */
function archiveName({ trainingRunId, checkpointId }: CheckpointIds): string {
  return `${trainingRunId}_${checkpointId}`.replace(/[^\w.-]/g, "_");
}

/** Where an archive goes: under its own name where a directory is named. */
async function archivePath(ids: CheckpointIds, output: string | undefined): Promise<string> {
  const name = `${archiveName(ids)}.tar.gz`;
  if (output === undefined) return name;
  const isDirectory = /[/\\]$/.test(output) ||
    await stat(output).then((found) => found.isDirectory(), () => false);
  return isDirectory ? join(output, name) : output;
}

/** Refuses a directory whose replacement would take away where people work, or all they have. */
async function requireReplaceable(directory: string, { env }: CliHost): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => path);
  const replaced = await real(directory);
  for (const place of [".", ...(env["HOME"] ? [env["HOME"]] : [])]) {
    const below = relative(replaced, await real(place));
    if (below === ".." || below.startsWith(`..${sep}`) || isAbsolute(below)) continue;
    throw new Failure(
      `${JSON.stringify(directory)} holds the working or the home directory, and is not replaced.`,
      "Name a new directory with -o.",
      EXIT_CODES.usage,
    );
  }
}

function saved({ path, loaded, sha256 }: SaveCompleteEvent): [string, string][] {
  return [["Saved", path], ["Size", size(loaded)], ["SHA-256", sha256 ?? ""]];
}

function extracted({ directory, entries, bytes }: ExtractCompleteEvent): [string, string][] {
  return [["Extracted", directory], ["Entries", String(entries)], ["Size", size(bytes)]];
}

/** Standard output: bytes as they are for programs; for a terminal, text that it can't obey. */
function outputSink({ stdout }: CliHost): WritableStream<Uint8Array> {
  const decoder = new TextDecoder();
  const shown = stdout.isTTY
    ? (chunk: Uint8Array) => printableLines(decoder.decode(chunk, { stream: true }))
    : (chunk: Uint8Array) => chunk;
  return new WritableStream({ write: (chunk) => write(stdout, shown(chunk)) });
}

/** No more names than fit a few lines. */
const NAMES_SHOWN = 20;

function noFile(file: string, names: readonly string[]): Failure {
  const more = names.length > NAMES_SHOWN
    ? ` and ${count(names.length - NAMES_SHOWN, "other")}`
    : "";
  const advice = `It has ${names.slice(0, NAMES_SHOWN).join(", ") || "nothing"}${more}.`;
  return new Failure(
    `The archive has no file ${JSON.stringify(file)}.`,
    advice,
    EXIT_CODES.notFound,
  );
}
