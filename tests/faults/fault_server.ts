/** The API and the store of one schedule, on raw sockets. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type SeededRandom, seededRandom } from "../../src/testing/seeded_random.ts";
import { type ArchiveVersions, isEqual, isPackedAgain, type SourceArchive } from "./archive.ts";
import { type FaultContext, isLengthSent, type Lie } from "./fault_kinds.ts";
import { type RawConnection, type RawRequest, RawServer } from "../integration/raw_server.ts";
import type { Schedule, ScheduledFault } from "./schedule.ts";
import { send, sendCut, setFraming, type WireResponse, wireResponse } from "./wire_response.ts";

/** What the server has of everything. */
export const TRAINING_RUN_ID = "eb78693b-380d-40f8-a709-ffe0da185718";
export const CHECKPOINT_ID = "final";
export const API_KEY = "key-of-the-fault-suite";

const RUN_PATH = `/api/v1/training_runs/${TRAINING_RUN_ID}/checkpoints`;
const CHECKPOINT_PATH = `${RUN_PATH}/${CHECKPOINT_ID}`;
const ARCHIVE_PATH = `${CHECKPOINT_PATH}/archive`;
const STORE_PATH = "/store/archive";

const CHECKPOINTS = JSON.stringify({
  checkpoints: [{
    checkpoint_id: CHECKPOINT_ID,
    checkpoint_type: "training",
    time: "2026-01-07T10:19:18.123456Z",
    checkpoint_path: `hpcai://${TRAINING_RUN_ID}/weights/${CHECKPOINT_ID}`,
  }],
});

/**
 * How long faults without an end are repeated, in milliseconds: far longer than a client retries without
 * progress. One that gets a few bytes each time may go on, and is let to its end.
 */
const ENDLESS_MS = 10_000;

/** A lie that was sent. */
export interface SentLie {
  readonly lie: Lie;
  /** How long the archive was said to be. */
  readonly length: number | undefined;
}

/** What a schedule's server has been through. */
export class FaultServer implements AsyncDisposable {
  /** The archives that it has had, the one of now last. */
  readonly versions: SourceArchive[];
  /** What it said that no client can see. */
  readonly lies: SentLie[] = [];
  /** Whether the backup was complete and right at each deletion. */
  readonly deletions: boolean[] = [];
  /** One line for each request, for those who look into a failure. */
  readonly log: string[] = [];
  /** Where the backup has to be when the checkpoint is deleted. */
  backupPath = "";

  readonly #schedule: Schedule;
  readonly #archives: ArchiveVersions;
  readonly #random: SeededRandom;
  readonly #faults: ScheduledFault[];
  readonly #api: RawServer;
  readonly #store: RawServer;
  #etag = 1;
  #responses = 0;
  #openedAt = 0;
  #isLengthAlwaysSent = true;

  constructor(schedule: Schedule, archives: ArchiveVersions) {
    this.#schedule = schedule;
    this.#archives = archives;
    this.#random = seededRandom(schedule.seed + schedule.number);
    this.#faults = [...schedule.faults];
    this.versions = [archives.first];
    const at = (place: "api" | "store"): RawServer => {
      const server: RawServer = new RawServer({
        onConnection: (connection) => this.#spoilConnection(server, place, connection),
        onRequest: (request, connection) => this.#respond(server, request, connection),
      });
      return server;
    };
    this.#api = at("api");
    this.#store = schedule.traits.isStoredElsewhere ? at("store") : this.#api;
  }

  /** Begins to listen. */
  async listen(): Promise<void> {
    this.#openedAt = performance.now();
    await this.#api.listen();
    if (this.#store !== this.#api) await this.#store.listen();
  }

  /** Where the API is. */
  get baseUrl(): string {
    return this.#api.url;
  }

  /** How many responses are still being sent. */
  get responding(): number {
    return this.#api.responding + (this.#store === this.#api ? 0 : this.#store.responding);
  }

  /** Replaces the archive, as between two saves. */
  replace(by: "sameLength" | "otherLength", tag: "new" | "same" = "new"): void {
    this.versions.push(this.#archives[by]);
    if (tag === "new") {
      this.#etag++;
      this.#isLengthAlwaysSent = true;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const servers = new Set([this.#api, this.#store]);
    await Promise.all([...servers].map((server) => server[Symbol.asyncDispose]()));
  }

  get #source(): SourceArchive {
    return this.versions.at(-1) ?? this.#archives.first;
  }

  get #tag(): string | undefined {
    const version = `v${this.#etag}`;
    return {
      strong: `"${version}"`,
      weak: `W/"${version}"`,
      changing: `"${version}-${this.#responses}"`,
      none: undefined,
    }[this.#schedule.traits.etag];
  }

  #spoilConnection(server: RawServer, place: "api" | "store", connection: RawConnection): boolean {
    const fault = this.#faults[0];
    if (!fault?.kind.isBeforeRequest || fault.at !== place) return false;
    this.#takeFault(place);
    const request = { method: "GET", target: ARCHIVE_PATH, headers: new Map() };
    const sound = this.#soundArchive(request);
    this.log.push(`a connection: ${fault.kind.name}`);
    void fault.kind.run(this.#context(server, fault, request, connection, sound));
    return true;
  }

  async #respond(
    server: RawServer,
    request: RawRequest,
    connection: RawConnection,
  ): Promise<void> {
    const { method, target } = request;
    const range = request.headers.get("range");
    const line = `${method} ${target}${range === undefined ? "" : ` ${range}`}`;
    const [path = "", query = ""] = target.split("?");
    if (query.includes("cut")) return this.#respondCut(request, connection, line);
    const isArchive = path === ARCHIVE_PATH || path === STORE_PATH;
    if (!isArchive) {
      this.log.push(line);
      return send(connection, this.#random, this.#otherResponse(method, path));
    }
    const isOfStore = path === STORE_PATH || this.#schedule.traits.way === "bytes";
    const sound = isOfStore ? this.#soundArchive(request) : this.#soundReference();
    const fault = this.#takeFault(path === STORE_PATH ? "store" : "api");
    this.log.push(`${line}: ${fault?.kind.name ?? "sound"}`);
    if (fault === undefined) {
      await send(connection, this.#random, sound);
    } else {
      const { framing } = fault.kind;
      if (framing !== undefined && sound.framing !== framing) setFraming(sound, framing);
      await fault.kind.run(this.#context(server, fault, request, connection, sound));
      if (sound.isLast && connection.isOpen) connection.end();
    }
    this.#isLengthAlwaysSent &&= !isOfStore || isLengthSent(sound);
  }

  #takeFault(place: "api" | "store"): ScheduledFault | undefined {
    const [fault] = this.#faults;
    if (fault?.at !== place) return undefined;
    this.#faults.shift();
    const isEndless = this.#schedule.isEndless && performance.now() - this.#openedAt < ENDLESS_MS;
    if (isEndless) this.#faults.push(fault);
    return fault;
  }

  async #respondCut(request: RawRequest, connection: RawConnection, line: string): Promise<void> {
    this.log.push(`${line}: cut there`);
    const sound = this.#soundArchive(request);
    const length = this.#random.int(sound.body.length);
    await sendCut(connection, this.#random, sound, length, this.#random.pick(["fin", "rst"]));
  }

  #context(
    server: RawServer,
    { seed }: ScheduledFault,
    request: RawRequest,
    connection: RawConnection,
    sound: WireResponse,
  ): FaultContext {
    const tag = () => this.#tag;
    const source = () => this.#source;
    const requestedFrom = rangeOf(request)?.first ?? 0;
    return {
      request,
      connection,
      sound,
      requestedFrom,
      random: seededRandom(seed),
      stored: {
        get source() {
          return source();
        },
        replace: (by, tag) => this.replace(by, tag),
      },
      get etag() {
        return tag();
      },
      isLengthKnown: requestedFrom > 0 && this.#isLengthAlwaysSent,
      cutUrl: `${this.#store.url}${STORE_PATH}?cut`,
      refuse: (durationMs) => server.refuse(durationMs),
      lie: (lie, length) => this.lies.push({ lie, length }),
    };
  }

  /** The archive, or the range of it that was asked for. */
  #soundArchive(request: RawRequest): WireResponse {
    this.#responses++;
    const { framing, isKeptAlive, hasRanges, heedsIfRange } = this.#schedule.traits;
    const { packed } = this.#source;
    const etag = this.#tag;
    const headers: [string, string][] = [["Content-Type", "application/gzip"]];
    if (etag !== undefined) headers.push(["ETag", etag]);
    if (hasRanges) headers.push(["Accept-Ranges", "bytes"]);
    const range = hasRanges ? rangeOf(request) : undefined;
    const ifRange = request.headers.get("if-range");
    const isSame = ifRange === undefined || ifRange === etag && !ifRange.startsWith("W/");
    if (range === undefined || heedsIfRange && !isSame) {
      return wireResponse("200 OK", headers, packed, { framing, isKeptAlive });
    }
    const { first } = range;
    const last = Math.min(range.last ?? Infinity, packed.length - 1);
    if (first >= packed.length) {
      headers.push(["Content-Range", `bytes */${packed.length}`]);
      return wireResponse("416 Range Not Satisfiable", headers, "", { isKeptAlive });
    }
    headers.push(["Content-Range", `bytes ${first}-${last}/${packed.length}`]);
    const body = packed.subarray(first, last + 1);
    const options = { framing, isKeptAlive, offset: first };
    return wireResponse("206 Partial Content", headers, body, options);
  }

  /** What leads to the store. */
  #soundReference(): WireResponse {
    const { isKeptAlive, way } = this.#schedule.traits;
    const url = `${this.#store.url}${STORE_PATH}?signature=${this.#random.uuid()}`;
    if (way === "redirect") {
      return wireResponse("302 Found", [["Location", url]], "", { isKeptAlive });
    }
    const headers: [string, string][] = [["Content-Type", "application/json"]];
    return wireResponse("200 OK", headers, JSON.stringify({ url }), { isKeptAlive });
  }

  #otherResponse(method: string, path: string): WireResponse {
    const { isKeptAlive } = this.#schedule.traits;
    const json: [string, string][] = [["Content-Type", "application/json"]];
    if (method === "GET" && path === RUN_PATH) {
      return wireResponse("200 OK", json, CHECKPOINTS, { isKeptAlive });
    }
    if (method === "DELETE" && path === CHECKPOINT_PATH) {
      this.deletions.push(this.#isBackedUp());
      return wireResponse("204 No Content", [], "", { isKeptAlive });
    }
    return wireResponse("404 Not Found", json, '{"error": "not_found"}', { isKeptAlive });
  }

  #isBackedUp(): boolean {
    try {
      const backup = readFileSync(this.backupPath);
      return this.versions.some((version) =>
        isEqual(version.packed, backup) || isPackedAgain(backup, version)
      );
    } catch {
      return false;
    }
  }
}

/** The range that a request asks for; only those that this client can ask for. */
function rangeOf({ headers }: RawRequest): { first: number; last: number | undefined } | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.get("range") ?? "") ?? [];
  if (first === undefined) return undefined;
  return { first: Number(first), last: last ? Number(last) : undefined };
}

/** Waits until a condition holds, no longer than a limit; whether it does. */
export async function waitUntil(isTrue: () => boolean, limitMs: number): Promise<boolean> {
  for (let waited = 0; waited < limitMs; waited += 20) {
    if (isTrue()) return true;
    await delay(20);
  }
  return isTrue();
}
