/** Checks what an operation leaves: files, bytes and directories. */
import type { DownloadEvent } from "@hpcai/rx";
import type { DeleteWithBackupEvent, ExtractEvent, SaveEvent } from "@hpcai/rx/fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { sha256 } from "../sha256.ts";
import { isBeginning, isEqual, isRecompressed, isSameTar } from "./archive.ts";
import type { HiddenDefect } from "./fault_kind.ts";
import type { FaultServer } from "./fault_server.ts";
import type { Schedule } from "./schedule.ts";

/** A result that must not occur. */
export type Violation =
  | "wrong"
  | "untyped"
  | "unhandled"
  | "hung"
  | "leftovers"
  | "progress"
  | "sockets"
  | "crash";

/** A violation, with its details. */
export interface ReportedViolation {
  readonly violation: Violation;
  readonly problem: string;
}

/** An event of any operation. */
export type AnyEvent = DownloadEvent | SaveEvent | ExtractEvent | DeleteWithBackupEvent;

/** The result of one operation of the client. */
export interface OperationResult {
  readonly ending: "complete" | "failed" | "cancelled" | "hung";
  readonly error: unknown;
  readonly last: AnyEvent | undefined;
}

/** The time limit for closing sockets and removing temporary files. */
export const SETTLE_MS = 2_000;

/** Collects the violations of one schedule. */
export class ResultChecker {
  readonly #schedule: Schedule;
  readonly #server: FaultServer;
  readonly #directory: string;
  readonly #violations: ReportedViolation[] = [];
  #acceptedDefect: HiddenDefect | undefined;

  constructor(schedule: Schedule, server: FaultServer, directory: string) {
    this.#schedule = schedule;
    this.#server = server;
    this.#directory = directory;
  }

  /** The violations so far. */
  get violations(): readonly ReportedViolation[] {
    return this.#violations;
  }

  /** The hidden defect that explains a wrong file, if any. */
  get acceptedDefect(): HiddenDefect | undefined {
    return this.#acceptedDefect;
  }

  report(violation: Violation, problem: string): void {
    this.#violations.push({ violation, problem });
  }

  /** Checks a directory after a save. `hadFile`: whether the file existed before. */
  async checkSaved(path: string, run: OperationResult, hadFile = false): Promise<void> {
    // A cancelled save can still be renaming the file.
    await this.#checkLeftovers(strayFiles);
    const saved = await readFile(path).catch(() => undefined);
    if (saved !== undefined) this.checkBytes(saved, run);
    if (saved === undefined && (run.ending === "complete" || hadFile)) {
      this.report("wrong", `no file after ${run.ending}`);
    }
    const { last } = run;
    if (run.ending === "complete" && saved !== undefined && last !== undefined) {
      if (last.type !== "complete" && last.type !== "deleted") {
        this.report("wrong", `complete without its event`);
      } else if (
        !("sha256" in last) || last.sha256 !== sha256(saved) || last.size !== saved.length
      ) {
        this.report(
          "wrong",
          `the event is ${JSON.stringify(last)}, the file has ${saved.length} bytes`,
        );
      }
    }
  }

  async checkExtracted(target: string, run: OperationResult): Promise<void> {
    const names = await filesIn(target);
    if (run.ending !== "complete") {
      if (names.length > 0) await this.#checkTree(target, names);
    } else {
      await this.#checkTree(target, names);
    }
    await this.#checkLeftovers((names) => names.filter((name) => !name.startsWith("final/")));
  }

  async #checkTree(target: string, names: readonly string[]): Promise<void> {
    const hashes = await Promise.all(
      names.map(async (name) => [name, sha256(await readFile(join(target, name)))] as const),
    );
    const isOf = (files: ReadonlyMap<string, string>) =>
      files.size === hashes.length && hashes.every(([name, hash]) => files.get(name) === hash);
    if (this.#server.versions.some(({ files }) => isOf(files))) return;
    // Zeros are a tar without entries; GNU tar extracts it without an error, too.
    if (names.length === 0 && this.#server.defects.some(({ defect }) => defect === "no archive")) {
      return;
    }
    this.report("wrong", `the directory has ${JSON.stringify(names)} with other bytes`);
  }

  /** Checks the bytes of a file under its final name, or of a closed stream. */
  checkBytes(bytes: Uint8Array, { ending, last }: OperationResult): void {
    const { versions, defects } = this.#server;
    const { isVerified, operation } = this.#schedule;
    if (versions.some(({ gzip }) => isEqual(gzip, bytes))) return;
    const format = last !== undefined && "format" in last ? last.format : undefined;
    // An archive decompressed from a content coding is reported as a tar.
    if (format === "tar" && versions.some(({ tar }) => isSameTar(bytes, tar))) return;
    if (versions.some((version) => isRecompressed(bytes, version))) return;
    const sent = defects.find(({ defect, length }) => {
      switch (defect) {
        case "short":
          return length === bytes.length &&
            versions.some(({ gzip }) => isBeginning(bytes, gzip));
        case "altered":
          return versions.some(({ gzip }) => gzip.length === bytes.length);
        case "no archive":
          return length === bytes.length && format === "unknown";
      }
    });
    if (sent !== undefined && !isVerified && operation !== "delete with backup") {
      this.#acceptedDefect = sent.defect;
      return;
    }
    const lengths = versions.map(({ gzip }) => gzip.length);
    const beginning = versions.some(({ gzip }) => isBeginning(bytes, gzip));
    const tar = versions.some(({ tar }) => isEqual(tar, bytes));
    const what = tar ? "the bare tar" : beginning ? "only the beginning" : "other bytes";
    this.report("wrong", `${ending}: ${bytes.length} bytes of ${lengths.join("/")}, ${what}`);
  }

  /** Waits until no unexpected files remain. */
  async #checkLeftovers(stray: (names: readonly string[]) => string[]): Promise<void> {
    let remaining: string[] = [];
    for (let waited = 0; waited < SETTLE_MS; waited += 50) {
      remaining = stray(await filesIn(this.#directory));
      if (remaining.length === 0) return;
      await delay(50);
    }
    this.report("leftovers", remaining.join(", "));
  }
}

/** The documented state of a save: data to resume from, and the archive that a file contains. */
const SAVE_STATE = /^\.hpcai-rx(\/[0-9a-f]+\.[0-9a-f]+\/(part|part\.json|file\.json))?$/;

/** The files that a save must not leave. */
function strayFiles(names: readonly string[]): string[] {
  return names.filter((name) => name !== "final.tar.gz" && !SAVE_STATE.test(name));
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory() || entry.name.startsWith(".")).map((
      entry,
    ) => join(entry.parentPath, entry.name).slice(directory.length + 1));
  } catch {
    return [];
  }
}
