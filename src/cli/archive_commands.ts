import type { Command } from "commander";
import { realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { concatMap, defer, filter, take, tap, throwIfEmpty } from "rxjs";
import { isSameEntryName } from "../download/archive_entries.ts";
import { isDirectory } from "../fs/directory.ts";
import { extractArchive$ } from "../fs/extract_archive.ts";
import type { ExtractCompleteEvent } from "../fs/extract_event.ts";
import { formatOfName } from "../fs/file_format.ts";
import { saveArchive$, type SaveCompleteEvent } from "../fs/save_archive.ts";
import type { CheckpointIds } from "../types.ts";
import { addCheckpointArguments, parseCheckpoint } from "./arguments.ts";
import type { CreateAction } from "./command.ts";
import { EXIT_CODES, Failure } from "./failure.ts";
import { type CliHost, write } from "./host.ts";
import { formatCount, formatSize } from "./format_value.ts";
import { toPrintableLines } from "./printable.ts";

interface DestinationOptions {
  readonly output?: string;
  readonly force?: true;
}

/** Adds `checkpoint download`, `checkpoint extract` and `checkpoint cat`. */
export function addArchiveCommands(checkpoint: Command, action: CreateAction): void {
  addCheckpointArguments(checkpoint.command("download"))
    .description(
      "Save a checkpoint's archive, a .tar.gz. After an interruption, run it again to resume.",
    )
    .option("-o, --output <path>", "file, or directory for the file")
    .option("--force", "replace an existing file")
    .action(action(
      (
        { client, output, terminal },
        path: string,
        checkpointId: string | undefined,
        options: DestinationOptions,
      ) => {
        const ids = parseCheckpoint(path, checkpointId);
        return defer(() => archivePath(ids, options.output)).pipe(
          concatMap((target) =>
            output.writeOutcome$(
              saveArchive$(client, ids, target, { overwrite: options.force }).pipe(
                terminal.showProgress("Downloading"),
              ),
              (event) => event.type === "complete" ? savedDetails(event) : [],
            )
          ),
        );
      },
      "Run the same command again to resume.",
    ));

  addCheckpointArguments(checkpoint.command("extract"))
    .description("Extract a checkpoint's archive into a new directory, atomically.")
    .option("-o, --output <directory>", "directory to create")
    .option("--force", "replace an existing directory and all its files")
    .action(action(
      (
        { client, host, output, terminal },
        path: string,
        checkpointId: string | undefined,
        options: DestinationOptions,
      ) => {
        const ids = parseCheckpoint(path, checkpointId);
        const directory = options.output ?? archiveName(ids);
        return defer(() => requireReplaceableDirectory(directory, host)).pipe(
          concatMap(() =>
            output.writeOutcome$(
              extractArchive$(client, ids, directory, { overwrite: options.force }).pipe(
                terminal.showProgress("Extracting"),
              ),
              (event) => event.type === "complete" ? extractedDetails(event) : [],
            )
          ),
        );
      },
      "Nothing was kept. Run the same command again to restart.",
    ));

  checkpoint.command("cat")
    .description("Write one file of a checkpoint's archive to standard output.")
    .argument("<path>", "checkpoint path, hpcai://…")
    .argument("<file>", "file in the archive, such as adapter_config.json")
    .action(action(({ client, host }, path: string, file: string) => {
      const names: string[] = [];
      return client.archiveEntries$(path).pipe(
        tap((entry) => names.push(entry.path)),
        filter((entry) => entry.type === "file" && isSameEntryName(entry.path, file)),
        concatMap(({ body }) => body.pipeTo(stdoutSink(host))),
        take(1),
        throwIfEmpty(() => fileNotFound(file, names)),
      );
    }));
}

/** Makes the name of a checkpoint's file or directory, with characters that every file system supports. */
function archiveName({ trainingRunId, checkpointId }: CheckpointIds): string {
  return `${trainingRunId}_${checkpointId}`.replace(/[^\w.-]/g, "_");
}

/** Returns the path of an archive: `output`, or a file in it if it is a directory. */
async function archivePath(ids: CheckpointIds, output: string | undefined): Promise<string> {
  const name = `${archiveName(ids)}.tar.gz`;
  if (output === undefined) return name;
  const isInDirectory = /[/\\]$/.test(output) || await isDirectory(output).catch(() => false);
  return isInDirectory ? join(output, name) : output;
}

/** Throws if a directory contains the working directory or the home directory. */
async function requireReplaceableDirectory(directory: string, { env }: CliHost): Promise<void> {
  const real = (path: string) => realpath(path).catch(() => path);
  const target = await real(directory);
  for (const place of [".", ...(env["HOME"] ? [env["HOME"]] : [])]) {
    const below = relative(target, await real(place));
    if (below === ".." || below.startsWith(`..${sep}`) || isAbsolute(below)) continue;
    throw new Failure(
      `Cannot replace ${JSON.stringify(directory)}: it contains the working or home directory`,
      EXIT_CODES.usage,
      { advice: "Name a new directory with -o." },
    );
  }
}

function savedDetails(
  { path, size: bytes, format, sha256 }: SaveCompleteEvent,
): [string, string][] {
  const expected = formatOfName(path);
  const hasOtherFormat = expected !== undefined && expected !== format;
  const warning: [string, string] = [
    "Format",
    `${format}, although the name ends with .${expected}`,
  ];
  return [
    ["Saved", path],
    ["Size", formatSize(bytes)],
    ...(hasOtherFormat ? [warning] : []),
    ["SHA-256", sha256 ?? ""],
  ];
}

function extractedDetails({ directory, entries, bytes }: ExtractCompleteEvent): [string, string][] {
  return [["Extracted", directory], ["Entries", String(entries)], ["Size", formatSize(bytes)]];
}

/** Makes a sink to standard output. On a terminal it replaces control characters. */
function stdoutSink({ stdout }: CliHost): WritableStream<Uint8Array> {
  const decoder = new TextDecoder();
  const toOutput = stdout.isTTY
    ? (chunk: Uint8Array) => toPrintableLines(decoder.decode(chunk, { stream: true }))
    : (chunk: Uint8Array) => chunk;
  return new WritableStream({ write: (chunk) => write(stdout, toOutput(chunk)) });
}

/** How many names an error lists. */
const MAX_NAMES = 20;

function fileNotFound(file: string, names: readonly string[]): Failure {
  const more = names.length > MAX_NAMES
    ? ` and ${formatCount(names.length - MAX_NAMES, "other")}`
    : "";
  const advice = `It contains ${names.slice(0, MAX_NAMES).join(", ") || "no files"}${more}.`;
  return new Failure(`The archive has no file ${JSON.stringify(file)}`, EXIT_CODES.notFound, {
    advice,
  });
}
