import type { RawConnection, RawRequest } from "../integration/raw_server.ts";
import type { SeededRandom } from "../../src/testing/seeded_random.ts";
import type { SourceArchive } from "./archive.ts";
import type { Framing, WireResponse } from "./wire_response.ts";

/**
 * A defect that a client detects only by reading the archive, so that it can save a wrong file unless
 * `verify` is set:
 *
 * - `"short"`: the length and the body are equally too short
 * - `"altered"`: other bytes under the same strong ETag
 * - `"no archive"`: another file, with its own length
 */
export type HiddenDefect = "short" | "altered" | "no archive";

/** The archive of a server. */
export interface StoredArchive {
  readonly source: SourceArchive;
  /** Replaces the archive, and its ETag if `tag` is `"new"`. */
  replace(by: "sameLength" | "otherLength", tag: "new" | "same"): void;
}

/** The request, its response, and the server, for a fault to change. */
export interface FaultContext {
  readonly request: RawRequest;
  readonly connection: RawConnection;
  readonly random: SeededRandom;
  readonly stored: StoredArchive;
  /** The correct response to the request. */
  readonly response: WireResponse;
  /** The first byte of the requested range; 0 without a range. */
  readonly requestedFrom: number;
  /** The current ETag of the archive. */
  readonly etag: string | undefined;
  /** Whether an earlier response contained the length of the archive. */
  readonly isLengthKnown: boolean;
  /** A URL on another origin whose response is cut. */
  readonly cutUrl: string;
  /** Closes all connections and refuses new ones. */
  refuse(durationMs: number): void;
  /** Records that the response has a hidden defect, and its wrong length. */
  recordDefect(defect: HiddenDefect, length?: number): void;
}

/** A kind of fault in the response with an archive. */
export interface FaultKind {
  readonly name: string;
  /** The framing that it requires. Default: that of the schedule. */
  readonly framing?: Framing;
  /** Whether it concerns the response to a range request, so that a cut has to precede it. */
  readonly isAfterCut?: boolean;
  readonly defect?: HiddenDefect;
  /** Whether it applies to the API even if the archive is on a separate store. */
  readonly isApiFault?: boolean;
  /** Whether it applies before a request is read. */
  readonly isBeforeRequest?: boolean;
  /** Whether it requires a client that reads slowly. */
  readonly isForSlowReader?: boolean;
  run(context: FaultContext): Promise<void>;
}
