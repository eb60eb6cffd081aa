import type { FileHandle } from "node:fs/promises";
import type { BatchedWriter } from "./batched_writer.ts";

/** How many bytes are written between two syncs, … */
const SYNC_BYTES = 64 * 1024 ** 2;

/** … or for how many milliseconds, where the network is slow. A crash loses at most this much. */
const SYNC_MS = 200;

/** Syncs a file while more is written, and records how many bytes survive a power failure. */
export interface BackgroundSync {
  /** Returns how many bytes are synced and recorded. */
  syncedBytes(): number;
  /** Begins a sync if it is due and none is in flight. Rejects if an earlier one failed. */
  beginIfDue(): Promise<void>;
  /** Resolves when no sync is in flight. Rejects if an earlier one failed. */
  waitForSync(): Promise<void>;
  /** Syncs the written bytes, and records their number. */
  sync(): Promise<void>;
  /** Syncs the file with all its metadata, and records nothing. */
  syncFile(): Promise<void>;
  /** Counts all written bytes as synced and recorded. */
  markSynced(): void;
}

/**
 * Makes the sync of a file. After one sync has failed, all others fail, since fsync(2) may then report
 * success for lost bytes.
 *
 * @param writer Writes the file.
 * @param record Records how many bytes are synced.
 */
export function backgroundSync(
  file: FileHandle,
  writer: BatchedWriter,
  record: (synced: number) => Promise<void>,
): BackgroundSync {
  let synced = writer.length();
  let syncedAt = performance.now();
  let syncInFlight: Promise<void> | undefined;
  let hasFailed = false;

  const trySync = async (sync: () => Promise<void>): Promise<void> => {
    if (hasFailed) throw new Error("an earlier sync of the file failed");
    try {
      await sync();
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  };
  const sync = async (): Promise<void> => {
    const reached = writer.length();
    await trySync(() => file.datasync());
    await record(reached);
    synced = reached;
    syncedAt = performance.now();
  };
  return {
    syncedBytes: () => synced,
    async beginIfDue() {
      if (hasFailed) await syncInFlight;
      const isDue = writer.length() - synced >= SYNC_BYTES ||
        performance.now() - syncedAt >= SYNC_MS;
      if (syncInFlight !== undefined || !isDue) return;
      await writer.beginBatch();
      syncInFlight = writer.waitForWrites().then(sync).then(() => syncInFlight = undefined);
      syncInFlight.catch(() => hasFailed = true);
    },
    waitForSync: async () => await syncInFlight,
    sync,
    syncFile: () => trySync(() => file.sync()),
    markSynced: () => void (synced = writer.length()),
  };
}
