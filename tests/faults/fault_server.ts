/** The API and the store of one schedule, on raw servers. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type SeededRandom, seededRandom } from "../../src/testing/seeded_random.ts";
import { type ArchiveVersions, isEqual, isRecompressed, type SourceArchive } from "./archive.ts";
import type { FaultContext, HiddenDefect } from "./fault_kind.ts";
import { type RawConnection, type RawRequest, RawServer } from "../integration/raw_server.ts";
import type { Schedule, ScheduledFault } from "./schedule.ts";
import {
  isLengthSent,
  send,
  sendCut,
  setFraming,
  type WireResponse,
  wireResponse,
} from "./wire_response.ts";

/** The ids and the key of every fault server. */
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
 * How long endless faults repeat, in milliseconds: far longer than a client retries without progress. A
 * client that receives a few bytes each time can complete afterwards.
 */
const ENDLESS_MS = 10_000;

/** A response with a hidden defect. */
export interface SentDefect {
  readonly defect: HiddenDefect;
  /** The wrong length of the archive in that response. */
  readonly length: number | undefined;
}

/** Serves one schedule, and records what a check needs afterwards. */
export class FaultServer implements AsyncDisposable {
  /** All archives so far, the current one last. */
  readonly versions: SourceArchive[];
  /** The hidden defects so far. */
  readonly defects: SentDefect[] = [];
  /** Whether the backup was complete and correct at each deletion. */
  readonly deletions: boolean[] = [];
  /** One line for each request, for the report of a violation. */
  readonly log: string[] = [];
  /** The path of the backup that has to precede the deletion. */
  backupPath = "";

  readonly #schedule: Schedule;
  readonly #archives: ArchiveVersions;
  readonly #random: SeededRandom;
  readonly #faults: ScheduledFault[];
  readonly #api: RawServer;
  readonly #store: RawServer;
  #etag = 1;
  #responses = 0;
  #startedAt = 0;
  #isLengthAlwaysSent = true;

  constructor(schedule: Schedule, archives: ArchiveVersions) {
    this.#schedule = schedule;
    this.#archives = archives;
    this.#random = seededRandom(schedule.seed + schedule.number);
    this.#faults = [...schedule.faults];
    this.versions = [archives.first];
    const rawServer = (place: "api" | "store"): RawServer => {
      const server: RawServer = new RawServer({
        onConnection: (connection) => this.#failConnection(server, place, connection),
        onRequest: (request, connection) => this.#respond(server, request, connection),
      });
      return server;
    };
    this.#api = rawServer("api");
    this.#store = schedule.traits.hasSeparateStore ? rawServer("store") : this.#api;
  }

  /** Starts to listen. */
  async listen(): Promise<void> {
    this.#startedAt = performance.now();
    await this.#api.listen();
    if (this.#store !== this.#api) await this.#store.listen();
  }

  /** The origin of the API. */
  get baseUrl(): string {
    return this.#api.url;
  }

  /** How many responses are in flight. */
  get responding(): number {
    return this.#api.responding + (this.#store === this.#api ? 0 : this.#store.responding);
  }

  /** Replaces the archive, and its ETag if `tag` is `"new"`. */
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

  #failConnection(server: RawServer, place: "api" | "store", connection: RawConnection): boolean {
    const fault = this.#faults[0];
    if (!fault?.kind.isBeforeRequest || fault.at !== place) return false;
    this.#nextFault(place);
    const request = { method: "GET", target: ARCHIVE_PATH, headers: new Map() };
    const response = this.#archiveResponse(request);
    this.log.push(`connection: ${fault.kind.name}`);
    void fault.kind.run(this.#context(server, fault, request, connection, response));
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
    const isArchiveResponse = path === STORE_PATH || this.#schedule.traits.delivery === "bytes";
    const response = isArchiveResponse ? this.#archiveResponse(request) : this.#referenceResponse();
    const fault = this.#nextFault(path === STORE_PATH ? "store" : "api");
    this.log.push(`${line}: ${fault?.kind.name ?? "correct"}`);
    if (fault === undefined) {
      await send(connection, this.#random, response);
    } else {
      const { framing } = fault.kind;
      if (framing !== undefined && response.framing !== framing) setFraming(response, framing);
      await fault.kind.run(this.#context(server, fault, request, connection, response));
      if (response.isLast && connection.isOpen) connection.end();
    }
    this.#isLengthAlwaysSent &&= !isArchiveResponse || isLengthSent(response);
  }

  #nextFault(place: "api" | "store"): ScheduledFault | undefined {
    const [fault] = this.#faults;
    if (fault?.at !== place) return undefined;
    this.#faults.shift();
    const isEndless = this.#schedule.isEndless && performance.now() - this.#startedAt < ENDLESS_MS;
    if (isEndless) this.#faults.push(fault);
    return fault;
  }

  async #respondCut(request: RawRequest, connection: RawConnection, line: string): Promise<void> {
    this.log.push(`${line}: cut`);
    const response = this.#archiveResponse(request);
    const length = this.#random.int(response.body.length);
    await sendCut(connection, this.#random, response, length, this.#random.pick(["fin", "rst"]));
  }

  #context(
    server: RawServer,
    { seed }: ScheduledFault,
    request: RawRequest,
    connection: RawConnection,
    response: WireResponse,
  ): FaultContext {
    const tag = () => this.#tag;
    const source = () => this.#source;
    const requestedFrom = rangeOf(request)?.first ?? 0;
    return {
      request,
      connection,
      response,
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
      recordDefect: (defect, length) => this.defects.push({ defect, length }),
    };
  }

  /** The archive, or the requested range of it. */
  #archiveResponse(request: RawRequest): WireResponse {
    this.#responses++;
    const { framing, isKeepAlive, hasRanges, hasIfRange } = this.#schedule.traits;
    const { gzip } = this.#source;
    const etag = this.#tag;
    const headers: [string, string][] = [["Content-Type", "application/gzip"]];
    if (etag !== undefined) headers.push(["ETag", etag]);
    if (hasRanges) headers.push(["Accept-Ranges", "bytes"]);
    const range = hasRanges ? rangeOf(request) : undefined;
    const ifRange = request.headers.get("if-range");
    const isSameVersion = ifRange === undefined || ifRange === etag && !ifRange.startsWith("W/");
    if (range === undefined || hasIfRange && !isSameVersion) {
      return wireResponse("200 OK", headers, gzip, { framing, isKeepAlive });
    }
    const { first } = range;
    const last = Math.min(range.last ?? Infinity, gzip.length - 1);
    if (first >= gzip.length) {
      headers.push(["Content-Range", `bytes */${gzip.length}`]);
      return wireResponse("416 Range Not Satisfiable", headers, "", { isKeepAlive });
    }
    headers.push(["Content-Range", `bytes ${first}-${last}/${gzip.length}`]);
    const body = gzip.subarray(first, last + 1);
    const options = { framing, isKeepAlive, offset: first };
    return wireResponse("206 Partial Content", headers, body, options);
  }

  /** A redirect or JSON with a URL of the store. */
  #referenceResponse(): WireResponse {
    const { isKeepAlive, delivery } = this.#schedule.traits;
    const url = `${this.#store.url}${STORE_PATH}?signature=${this.#random.uuid()}`;
    if (delivery === "redirect") {
      return wireResponse("302 Found", [["Location", url]], "", { isKeepAlive });
    }
    const headers: [string, string][] = [["Content-Type", "application/json"]];
    return wireResponse("200 OK", headers, JSON.stringify({ url }), { isKeepAlive });
  }

  #otherResponse(method: string, path: string): WireResponse {
    const { isKeepAlive } = this.#schedule.traits;
    const json: [string, string][] = [["Content-Type", "application/json"]];
    if (method === "GET" && path === RUN_PATH) {
      return wireResponse("200 OK", json, CHECKPOINTS, { isKeepAlive });
    }
    if (method === "DELETE" && path === CHECKPOINT_PATH) {
      this.deletions.push(this.#isBackedUp());
      return wireResponse("204 No Content", [], "", { isKeepAlive });
    }
    return wireResponse("404 Not Found", json, '{"error": "not_found"}', { isKeepAlive });
  }

  #isBackedUp(): boolean {
    try {
      const backup = readFileSync(this.backupPath);
      return this.versions.some((version) =>
        isEqual(version.gzip, backup) || isRecompressed(backup, version)
      );
    } catch {
      return false;
    }
  }
}

/** The range of a request, in the form that this client sends. */
function rangeOf({ headers }: RawRequest): { first: number; last: number | undefined } | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.get("range") ?? "") ?? [];
  if (first === undefined) return undefined;
  return { first: Number(first), last: last ? Number(last) : undefined };
}

/** Waits until a condition holds, no longer than a limit; returns whether it does. */
export async function waitUntil(isTrue: () => boolean, limitMs: number): Promise<boolean> {
  for (let waited = 0; waited < limitMs; waited += 20) {
    if (isTrue()) return true;
    await delay(20);
  }
  return isTrue();
}
