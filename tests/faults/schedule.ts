/** What happens in one run of the fault suite, all of it from two numbers. */
import { hashText, type SeededRandom, seededRandom } from "../../src/testing/seeded_random.ts";
import { FAULT_KINDS, type FaultKind } from "./fault_kinds.ts";
import type { Framing } from "./wire_response.ts";

/** What the client does. */
export type Operation =
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

/** What the server is like where it does not fail. */
export interface ServerTraits {
  readonly framing: Framing;
  /** `changing` gives each response a strong tag of its own. */
  readonly etag: "strong" | "weak" | "none" | "changing";
  readonly isKeptAlive: boolean;
  readonly hasRanges: boolean;
  readonly heedsIfRange: boolean;
  /** How it gives the archive: itself, by a redirect, or by a URL in JSON. */
  readonly way: "bytes" | "redirect" | "json";
  readonly isStoredElsewhere: boolean;
}

/** One fault, at one response. */
export interface ScheduledFault {
  readonly kind: FaultKind;
  /** Of its random choices. */
  readonly seed: number;
  /** Which of the responses that lead to the archive it spoils. */
  readonly at: "api" | "store";
}

/** A whole run. */
export interface Schedule {
  readonly seed: number;
  readonly number: number;
  /** The kind that it is about; the other faults vary what comes before and after. */
  readonly subject: FaultKind;
  readonly operation: Operation;
  readonly traits: ServerTraits;
  /** In their order; after them come sound responses, unless they are endless. */
  readonly faults: readonly ScheduledFault[];
  readonly isEndless: boolean;
  readonly archiveSet: number;
  readonly isVerified: boolean;
  /** When the client cancels, where it does: after so many events, or after so many milliseconds. */
  readonly cancelAfter: { readonly events: number } | { readonly ms: number };
  /** Whether the archive is replaced between two saves, and the second one may overwrite. */
  readonly isReplacedBetween: boolean;
  readonly isOverwritten: boolean;
}

/** With length, strong ETag, keep-alive, each or not. */
const COMBINATIONS = 8;

/** So many schedules in sequence have each kind with each combination. */
export const ALL_COMBINATIONS: number = COMBINATIONS * FAULT_KINDS.length;

const SAVES: [Operation, ...Operation[]] = [
  "save",
  "save",
  "save",
  "extract",
  "delete with backup",
];

const OPERATIONS: [Operation, ...Operation[]] = [
  ...Array<Operation>(10).fill("save"),
  "save, cancel",
  ...Array<Operation>(3).fill("save, cancel, save"),
  ...Array<Operation>(3).fill("save twice"),
  ...Array<Operation>(2).fill("download into memory"),
  "download into a stream",
  "download into a slow stream",
  "download, cancel",
  ...Array<Operation>(2).fill("extract"),
  "extract, cancel, extract",
  ...Array<Operation>(2).fill("delete with backup"),
] as [Operation, ...Operation[]];

const kindNamed = (name: string): FaultKind => {
  const kind = FAULT_KINDS.find((kind) => kind.name === name);
  if (kind === undefined) throw new Error(`No kind ${name}`);
  return kind;
};

const CUTS: [FaultKind, ...FaultKind[]] = [
  kindNamed("cut by FIN"),
  kindNamed("cut by RST"),
  kindNamed("silence within the body"),
];

/**
 * Makes the schedule of a number. As many schedules in sequence as there are kinds are about each kind
 * once; eight times as many have each combination of length, ETag and keep-alive with it.
 */
export function scheduleOf(seed: number, number: number, archiveSets: number): Schedule {
  const random = seededRandom(hashText(`${seed} ${number}`));
  const round = Math.floor(number / FAULT_KINDS.length);
  const order = shuffled(seededRandom(hashText(`${seed} order`)), FAULT_KINDS);
  const kind = order[number % order.length] ?? CUTS[0];
  // Each kind begins with another combination, so that a few rounds have all of them.
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
    isEndless: kind.lie === undefined && random.int(12) === 0,
    archiveSet: random.int(archiveSets),
    isVerified: kind.lie === undefined && random.int(5) === 0,
    cancelAfter: random.int(2) === 0 ? { events: 1 + random.int(12) } : { ms: random.int(120) },
    isReplacedBetween: random.int(3) === 0,
    isOverwritten: random.int(2) === 0,
  };
}

function operationFor(random: SeededRandom, kind: FaultKind): Operation {
  if (kind.isForSlowReader && random.int(2) === 0) return "download into a slow stream";
  return kind.lie === undefined ? random.pick(OPERATIONS) : random.pick(SAVES);
}

function traitsFor(random: SeededRandom, kind: FaultKind, combination: number): ServerTraits {
  const hasLength = (combination & 1) !== 0;
  const hasStrongEtag = (combination & 2) !== 0;
  const isKeptAlive = (combination & 4) !== 0;
  const withoutLength: Framing = isKeptAlive ? "chunked" : random.pick(["chunked", "close"]);
  return {
    framing: kind.framing ?? (hasLength ? "length" : withoutLength),
    etag: hasStrongEtag ? "strong" : random.pick(["weak", "none", "changing"]),
    isKeptAlive,
    hasRanges: kind.isAfterCut === true || random.int(5) > 0,
    heedsIfRange: random.int(6) > 0,
    way: random.pick(["bytes", "bytes", "redirect", "json"]),
    isStoredElsewhere: random.int(2) === 0,
  };
}

function faultsFor(
  random: SeededRandom,
  kind: FaultKind,
  operation: Operation,
  { way }: ServerTraits,
): ScheduledFault[] {
  const scheduled = (kind: FaultKind): ScheduledFault => {
    const isOfApi = kind.isOfApi || way === "bytes" ||
      kind.lie === undefined && !kind.isAfterCut && random.int(6) === 0;
    return { kind, seed: random.int(2 ** 31), at: isOfApi ? "api" : "store" };
  };
  const faults = kind.isAfterCut
    ? [scheduled(random.pick(CUTS)), scheduled(kind)]
    : [scheduled(kind)];
  // What is not the subject must not excuse a wrong file.
  const others = FAULT_KINDS.filter(({ lie }) => lie === undefined);
  const more = operation === "save twice" ? 1 + random.int(3) : random.int(4);
  for (let count = 0; kind.lie === undefined && count < more; count++) {
    faults.push(scheduled(others[random.int(others.length)] ?? kind));
  }
  return faults;
}

function shuffled<T>(random: SeededRandom, values: readonly T[]): T[] {
  const shuffled = [...values];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = random.int(last + 1);
    [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
  }
  return shuffled;
}

/** One line that says what a schedule is. */
export function describe({ operation, traits, faults, isEndless, isVerified }: Schedule): string {
  const { framing, etag, isKeptAlive, hasRanges, heedsIfRange, way } = traits;
  const server = [
    framing,
    `etag ${etag}`,
    isKeptAlive ? "keep-alive" : "close",
    hasRanges ? (heedsIfRange ? "ranges" : "ranges without If-Range") : "no ranges",
    way,
  ].join(", ");
  const names = faults.map(({ kind, at }) =>
    at === "api" && way !== "bytes" ? `${kind.name} (API)` : kind.name
  );
  return `${operation}${isVerified ? ", verified" : ""} [${server}] ${names.join(" → ")}${
    isEndless ? " …" : ""
  }`;
}
