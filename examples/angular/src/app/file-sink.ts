import { InjectionToken } from "@angular/core";

/** Where a download goes. */
export interface FileSink {
  /** Takes the bytes as they come; absent where they have to be held in memory. */
  readonly writable?: WritableStream<Uint8Array<ArrayBuffer>>;
  /** Gives the user what was held in memory. */
  save(body: Uint8Array<ArrayBuffer> | undefined): void;
}

/** The parts of the File System Access API that TypeScript does not know yet. */
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

/** Opens a file for a download; rejects with an `AbortError` if the user chooses none. */
export const OPEN_FILE_SINK = new InjectionToken<(name: string) => Promise<FileSink>>(
  "openFileSink",
  { factory: () => openFileSink },
);

/**
 * Asks the user for a file and streams into it, so that the archive may be larger than memory. Where
 * a browser can't (Firefox, Safari), it is held in memory and saved at the end.
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
      // The picker has made an empty file.
      await handle.remove?.();
    },
  });
  return { writable, save: () => undefined };
}

function saveBlob(name: string, body: Uint8Array<ArrayBuffer> | undefined): void {
  const url = URL.createObjectURL(new Blob(body ? [body] : [], { type: "application/gzip" }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  // Some browsers read it only after a while.
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER_MS);
}
