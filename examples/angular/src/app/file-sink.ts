import { InjectionToken } from "@angular/core";

/** The destination of a download. */
export interface FileSink {
  /** Receives the bytes; absent where they have to be held in memory. */
  readonly writable?: WritableStream<Uint8Array<ArrayBuffer>>;
  /** Saves the bytes that were held in memory. */
  save(body: Uint8Array<ArrayBuffer> | undefined): void;
}

/** The parts of the File System Access API that the types of TypeScript lack. */
interface SaveFileHandle extends FileSystemFileHandle {
  remove?(): Promise<void>;
}
interface SaveFilePicker {
  showSaveFilePicker?(options: {
    suggestedName: string;
    types: readonly { description: string; accept: Readonly<Record<string, readonly string[]>> }[];
  }): Promise<SaveFileHandle>;
}

const REVOKE_AFTER_MS = 60_000;

/** Opens a file for a download; rejects with an `AbortError` if the user chooses no file. */
export const OPEN_FILE_SINK = new InjectionToken<(name: string) => Promise<FileSink>>(
  "openFileSink",
  { factory: () => openFileSink },
);

/**
 * Opens a file picker and streams into the chosen file, so that the archive may be larger than memory.
 * Browsers without a file picker (Firefox, Safari) hold the archive in memory and save it at the end.
 */
async function openFileSink(name: string): Promise<FileSink> {
  const { showSaveFilePicker }: Window & SaveFilePicker = window;
  if (showSaveFilePicker === undefined) return { save: (body) => saveBlob(name, body) };
  const handle = await showSaveFilePicker.call(window, {
    suggestedName: name,
    types: [{ description: "Checkpoint archive", accept: { "application/gzip": [".gz"] } }],
  });
  const file = await handle.createWritable();
  const writable = new WritableStream<Uint8Array<ArrayBuffer>>({
    write: (chunk) => file.write(chunk),
    close: () => file.close(),
    async abort(reason) {
      await file.abort(reason);
      // The picker created an empty file.
      await handle.remove?.();
    },
  });
  return { writable, save: () => undefined };
}

function saveBlob(name: string, body: Uint8Array<ArrayBuffer> | undefined): void {
  const url = URL.createObjectURL(new Blob(body ? [body] : [], { type: "application/gzip" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  // Some browsers read the blob later.
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER_MS);
}
