import { RestClient } from "@hpcai/rx";
import { extractArchive$, type ExtractEvent, type ExtractOptions } from "@hpcai/rx/fs";
import { lastValueFrom, toArray } from "rxjs";

export const CHECKPOINT = "hpcai://eb78693b-380d-40f8-a709-ffe0da185718/weights/step_0010";

/** A client that receives these bytes as every archive, in chunks. */
export function clientOf(archive: Uint8Array<ArrayBuffer>, chunkBytes = 65_536): RestClient {
  return new RestClient({
    apiKey: "sk-secret",
    retry: false,
    fetch: () => {
      let offset = 0;
      const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull(controller) {
          if (offset >= archive.byteLength) return controller.close();
          controller.enqueue(archive.slice(offset, offset + chunkBytes));
          offset += chunkBytes;
        },
      }, { highWaterMark: 0 });
      const headers = {
        "Content-Type": "application/gzip",
        "Content-Length": `${archive.byteLength}`,
      };
      return Promise.resolve(new Response(body, { headers }));
    },
  });
}

/** Extracts an archive; resolves to all events. */
export function extract(
  archive: Uint8Array<ArrayBuffer>,
  directory: string,
  options?: ExtractOptions,
): Promise<ExtractEvent[]> {
  return lastValueFrom(
    extractArchive$(clientOf(archive), CHECKPOINT, directory, options).pipe(toArray()),
  );
}

/** How an extraction ended. */
export interface Outcome {
  readonly error?: { readonly name: string; readonly message: string; readonly entry?: unknown };
}

/**
 * Extracts an archive in another process with all permissions: Deno creates a symbolic link only with the
 * permission to write everywhere, which tests do not have.
 */
export async function extractInChild(archivePath: string, directory: string): Promise<Outcome> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-env",
      "--allow-read",
      "--allow-write",
      import.meta.url,
      archivePath,
      directory,
    ],
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Extracts an archive; resolves to the outcome. */
export async function extractionOutcome(archivePath: string, directory: string): Promise<Outcome> {
  try {
    await extract(await Deno.readFile(archivePath), directory);
    return {};
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { name, message } = error;
    return { error: { name, message, ...("entry" in error ? { entry: error.entry } : {}) } };
  }
}

/** The contents of a directory: for each name its kind, and its bytes or its target. */
export async function treeOf(directory: string): Promise<Record<string, unknown>> {
  const tree: Record<string, unknown> = {};
  const walk = async (path: string): Promise<void> => {
    for await (const { name, isDirectory, isSymlink } of Deno.readDir(`${directory}/${path}`)) {
      const at = `${path}${name}`;
      const full = `${directory}/${at}`;
      if (isSymlink) tree[at] = { link: await Deno.readLink(full) };
      else if (isDirectory) {
        tree[at] = "directory";
        await walk(`${at}/`);
      } else {
        const { mode } = await Deno.stat(full);
        const isExecutable = ((mode ?? 0) & 0o111) !== 0;
        tree[at] = {
          isExecutable,
          bytes: new TextDecoder("latin1").decode(await Deno.readFile(full)),
        };
      }
    }
  };
  await walk("");
  return tree;
}

if (import.meta.main) {
  const [archivePath = "", directory = ""] = Deno.args;
  console.log(JSON.stringify(await extractionOutcome(archivePath, directory)));
}
