import { InvalidArgumentError } from "./errors.ts";

/** How many characters of an invalid string a message repeats. */
const MAX_STRING_CHARACTERS = 80;

/** Describes an invalid value in a message, on one short line. */
export function inspect(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(
      value.length > MAX_STRING_CHARACTERS ? `${value.slice(0, MAX_STRING_CHARACTERS)}…` : value,
    );
  }
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? "an array" : "an object";
  }
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "function" ? "a function" : String(value);
}

/** Throws unless `value` is an object that can contain options. */
export function requireOptions(argument: string, value: unknown): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw new InvalidArgumentError(argument, `must be an object with options, got ${inspect(value)}`);
}

/** Throws unless `value` is `true` or `false`. */
export function requireBoolean(argument: string, value: unknown): void {
  if (typeof value === "boolean") return;
  throw new InvalidArgumentError(argument, `must be true or false, got ${inspect(value)}`);
}

/** Throws unless `value` is an integer of at least `minimum`. */
export function requireInteger(argument: string, value: unknown, minimum: 0 | 1): void {
  if (Number.isSafeInteger(value) && Number(value) >= minimum) return;
  const expected = minimum === 1 ? "a positive integer" : "an integer of at least 0";
  throw new InvalidArgumentError(argument, `must be ${expected}, got ${inspect(value)}`);
}

/** Throws unless `value` can be a checkpoint type, known or unknown. */
export function requireCheckpointType(argument: string, value: unknown): void {
  if (typeof value === "string" && value.trim() !== "") return;
  throw new InvalidArgumentError(
    argument,
    `must be a checkpoint type, for example "training" or "sampler", got ${inspect(value)}`,
  );
}

/** Throws unless `value` is an iterable object; a string is not one. */
export function requireIterable(argument: string, value: unknown): void {
  if (typeof value === "object" && value !== null && Symbol.iterator in value) return;
  throw new InvalidArgumentError(argument, `must be an iterable, got ${inspect(value)}`);
}

/** The longest delay of a timer; a longer one overflows and fires immediately. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Throws unless `value` is a number of milliseconds that a timer can wait. */
export function requireMilliseconds(argument: string, value: unknown, minimum: 0 | 1): void {
  if (typeof value === "number" && value >= minimum && value <= MAX_TIMER_MS) return;
  throw new InvalidArgumentError(
    argument,
    `must be a number of milliseconds from ${minimum} to ${MAX_TIMER_MS}, got ${inspect(value)}`,
  );
}

/**
 * Why a value cannot be one segment of a request's path, or `undefined` where it can. An empty
 * segment or a dot segment (RFC 3986, section 3.3) would address another route, as would a slash,
 * since servers decode `%2F` before they route; half of a surrogate pair has no percent-encoding.
 */
export function pathSegmentProblem(value: unknown): string | undefined {
  if (typeof value !== "string") return "is not a string";
  if (value.includes("/")) return "contains a slash";
  if (value.trim() === "") return "is empty";
  if (value === "." || value === "..") return `is a dot segment (${value})`;
  return /\p{Surrogate}/u.test(value) ? "contains half of a surrogate pair" : undefined;
}

/** Why a value cannot be a checkpoint's id, or `undefined` where it can. It may contain slashes. */
export function checkpointIdProblem(value: unknown): string | undefined {
  if (typeof value !== "string") return "is not a string";
  const segments = value.split("/");
  const problem = segments.map(pathSegmentProblem).find((problem) => problem !== undefined);
  return problem && segments.length > 1 ? `has a segment that ${problem}` : problem;
}

/** Throws unless `value` can be a training run's id. */
export function requireTrainingRunId(value: unknown): asserts value is string {
  const problem = pathSegmentProblem(value);
  if (problem === undefined) return;
  throw new InvalidArgumentError(
    "trainingRunId",
    `must be the id of a training run, got ${inspect(value)}, which ${problem}`,
    { advice: 'Pass a training_run_id such as "eb78693b-380d-40f8-a709-ffe0da185718".' },
  );
}

/** Throws unless `value` can be a checkpoint's id. */
export function requireCheckpointId(value: unknown): asserts value is string {
  const problem = checkpointIdProblem(value);
  if (problem === undefined) return;
  throw new InvalidArgumentError(
    "checkpointId",
    `must be the id of a checkpoint, got ${inspect(value)}, which ${problem}`,
    { advice: 'Pass a checkpoint_id such as "step_0010".' },
  );
}
