/** One run of the fault suite, derived from a seed and a number. */
import { hashText, type SeededRandom, seededRandom } from "../../src/testing/seeded_random.ts";
import type { FaultKind } from "./fault_kind.ts";
import { FAULT_KINDS } from "./fault_kinds.ts";
import type { Framing } from "./wire_response.ts";

/** The operation of the client. */
export type ScheduledOperation =
  | "save"
  | "save, cancel"
  | "save, cancel, save"
  | "save twice"
  | "download into memory"
  | "download into a stream"
  | "download into a slow stream"
  | "download, cancel"
  | "extract"
  | "extract, cancel, extract"
  | "delete with backup";

/** The properties of the server apart from its faults. */
export interface ServerTraits {
  readonly framing: Framing;
  /** `"changing"`: each response has another strong ETag. */
  readonly etag: "strong" | "weak" | "none" | "changing";
  readonly isKeepAlive: boolean;
  readonly hasRanges: boolean;
  readonly hasIfRange: boolean;
  /** The archive itself, a redirect to it, or JSON with its URL. */
  readonly delivery: "bytes" | "redirect" | "json";
  readonly hasSeparateStore: boolean;
}

/** A fault of one response. */
export interface ScheduledFault {
  readonly kind: FaultKind;
  /** The seed of its random choices. */
  readonly seed: number;
  /** The server whose response it changes. */
  readonly at: "api" | "store";
}

/** A complete run. */
export interface Schedule {
  readonly seed: number;
  readonly number: number;
  /** The kind that the schedule tests; the other faults vary what precedes and follows it. */
  readonly subject: FaultKind;
  readonly operation: ScheduledOperation;
  readonly traits: ServerTraits;
  /** In their order. Correct responses follow, unless the faults are endless. */
  readonly faults: readonly ScheduledFault[];
  readonly isEndless: boolean;
  readonly archiveSet: number;
  readonly isVerified: boolean;
  /** The number of events, or the milliseconds, after which the client cancels. */
  readonly cancelAfter: { readonly events: number } | { readonly ms: number };
  /** Whether the archive is replaced between two saves, and whether the second one overwrites. */
  readonly isReplacedBetween: boolean;
  readonly isOverwritten: boolean;
}

/** With and without each of length, strong ETag and keep-alive. */
const COMBINATIONS = 8;

/** The number of schedules in sequence that contain each kind with each combination. */
export const ALL_COMBINATIONS: number = COMBINATIONS * FAULT_KINDS.length;

const SAVES: [ScheduledOperation, ...ScheduledOperation[]] = [
  "save",
  "save",
  "save",
  "extract",
  "delete with backup",
];

const OPERATIONS: [ScheduledOperation, ...ScheduledOperation[]] = [
  ...Array<ScheduledOperation>(10).fill("save"),
  "save, cancel",
  ...Array<ScheduledOperation>(3).fill("save, cancel, save"),
  ...Array<ScheduledOperation>(3).fill("save twice"),
  ...Array<ScheduledOperation>(2).fill("download into memory"),
  "download into a stream",
  "download into a slow stream",
  "download, cancel",
  ...Array<ScheduledOperation>(2).fill("extract"),
  "extract, cancel, extract",
  ...Array<ScheduledOperation>(2).fill("delete with backup"),
] as [ScheduledOperation, ...ScheduledOperation[]];

const faultKindOf = (name: string): FaultKind => {
  const kind = FAULT_KINDS.find((kind) => kind.name === name);
  if (kind === undefined) throw new Error(`No kind ${name}`);
  return kind;
};

const CUTS: [FaultKind, ...FaultKind[]] = [
  faultKindOf("cut by FIN"),
  faultKindOf("cut by RST"),
  faultKindOf("a stall within the body"),
];

/**
 * The schedule of a number. Schedules in sequence test one kind after the other, and repeat that with
 * each combination of length, ETag and keep-alive.
 */
export function scheduleOf(seed: number, number: number, archiveSets: number): Schedule {
  const random = seededRandom(hashText(`${seed} ${number}`));
  const round = Math.floor(number / FAULT_KINDS.length);
  const order = shuffle(seededRandom(hashText(`${seed} order`)), FAULT_KINDS);
  const kind = order[number % order.length] ?? CUTS[0];
  // Each kind starts with another combination, so that a few rounds contain all of them.
  const combination = (round + hashText(`${seed} ${kind.name}`)) % COMBINATIONS;

  const operation = operationFor(random, kind);
  const traits = traitsFor(random, kind, combination);
  return {
    seed,
    number,
    subject: kind,
    operation,
    traits,
    faults: faultsFor(random, kind, operation, traits),
    isEndless: kind.defect === undefined && random.int(12) === 0,
    archiveSet: random.int(archiveSets),
    isVerified: kind.defect === undefined && random.int(5) === 0,
    cancelAfter: random.int(2) === 0 ? { events: 1 + random.int(12) } : { ms: random.int(120) },
    isReplacedBetween: random.int(3) === 0,
    isOverwritten: random.int(2) === 0,
  };
}

function operationFor(random: SeededRandom, kind: FaultKind): ScheduledOperation {
  if (kind.isForSlowReader && random.int(2) === 0) return "download into a slow stream";
  return kind.defect === undefined ? random.pick(OPERATIONS) : random.pick(SAVES);
}

function traitsFor(random: SeededRandom, kind: FaultKind, combination: number): ServerTraits {
  const hasLength = (combination & 1) !== 0;
  const hasStrongEtag = (combination & 2) !== 0;
  const isKeepAlive = (combination & 4) !== 0;
  const withoutLength: Framing = isKeepAlive ? "chunked" : random.pick(["chunked", "close"]);
  return {
    framing: kind.framing ?? (hasLength ? "length" : withoutLength),
    etag: hasStrongEtag ? "strong" : random.pick(["weak", "none", "changing"]),
    isKeepAlive,
    hasRanges: kind.isAfterCut === true || random.int(5) > 0,
    hasIfRange: random.int(6) > 0,
    delivery: random.pick(["bytes", "bytes", "redirect", "json"]),
    hasSeparateStore: random.int(2) === 0,
  };
}

function faultsFor(
  random: SeededRandom,
  kind: FaultKind,
  operation: ScheduledOperation,
  { delivery }: ServerTraits,
): ScheduledFault[] {
  const toScheduledFault = (kind: FaultKind): ScheduledFault => {
    const isApiFault = kind.isApiFault || delivery === "bytes" ||
      kind.defect === undefined && !kind.isAfterCut && random.int(6) === 0;
    return { kind, seed: random.int(2 ** 31), at: isApiFault ? "api" : "store" };
  };
  const faults = kind.isAfterCut
    ? [toScheduledFault(random.pick(CUTS)), toScheduledFault(kind)]
    : [toScheduledFault(kind)];
  // Only the subject can have a hidden defect, which permits a wrong file.
  const others = FAULT_KINDS.filter(({ defect }) => defect === undefined);
  const more = operation === "save twice" ? 1 + random.int(3) : random.int(4);
  for (let count = 0; kind.defect === undefined && count < more; count++) {
    faults.push(toScheduledFault(others[random.int(others.length)] ?? kind));
  }
  return faults;
}

function shuffle<T>(random: SeededRandom, values: readonly T[]): T[] {
  const result = [...values];
  for (let last = result.length - 1; last > 0; last--) {
    const other = random.int(last + 1);
    // Both indices are within the array.
    [result[last], result[other]] = [result[other] as T, result[last] as T];
  }
  return result;
}

/** A schedule in one line. */
export function describe({ operation, traits, faults, isEndless, isVerified }: Schedule): string {
  const { framing, etag, isKeepAlive, hasRanges, hasIfRange, delivery } = traits;
  const server = [
    framing,
    `etag ${etag}`,
    isKeepAlive ? "keep-alive" : "close",
    hasRanges ? (hasIfRange ? "ranges" : "ranges without If-Range") : "no ranges",
    delivery,
  ].join(", ");
  const names = faults.map(({ kind, at }) =>
    at === "api" && delivery !== "bytes" ? `${kind.name} (API)` : kind.name
  );
  return `${operation}${isVerified ? ", verified" : ""} [${server}] ${names.join(" → ")}${
    isEndless ? " …" : ""
  }`;
}
