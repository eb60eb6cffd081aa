// This module is browser compatible.

import { inspect } from "./arguments.ts";

/** Decodes parsed JSON; throws a {@linkcode JsonMismatch} if it is invalid. */
export type Decode<T> = (json: unknown) => T;

/** A value of JSON is not what its decoder expects. Thrown by decoders; not an `Error`. */
export class JsonMismatch {
  /** The place of the value, such as `training_runs[3].is_lora`; empty for the root. */
  path = "";

  /** @param problem What was expected, and what was found. */
  constructor(readonly problem: string) {}
}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Makes the mismatch between a value and what was expected. */
export function mismatch(what: string, value: unknown): JsonMismatch {
  // Without the contents of an object, since Node 20 throws for a deeply nested one.
  return new JsonMismatch(`expected ${what}, got ${inspect(value)}`);
}

/** Decodes a value at a key of an object or an index of an array, and adds that to a mismatch's path. */
export function decodeAt<T>(value: unknown, key: string | number, decode: Decode<T>): T {
  try {
    return decode(value);
  } catch (error) {
    if (error instanceof JsonMismatch) {
      const rest = error.path.replace(/^(?=[^[])/, ".");
      error.path = (typeof key === "number" ? `[${key}]` : key) + rest;
    }
    throw error;
  }
}

/** Decodes a member of an object. */
export function field<T>(object: JsonObject, name: string, decode: Decode<T>): T {
  return decodeAt(object[name], name, decode);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function object(value: unknown): JsonObject {
  if (isObject(value)) return value;
  throw mismatch("an object", value);
}

export function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw mismatch("a string", value);
}

export function boolean(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw mismatch("true or false", value);
}

export function number(value: unknown): number {
  if (typeof value === "number") return value;
  throw mismatch("a number", value);
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

export function count(value: unknown): number {
  if (isCount(value)) return value;
  throw mismatch("a count", value);
}

/** Makes a decoder that also accepts null, and a missing field. */
export function nullable<T>(decode: Decode<T>): Decode<T | null> {
  return (value) => value === null || value === undefined ? null : decode(value);
}

export function list<T>(decode: Decode<T>): Decode<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw mismatch("an array", value);
    return value.map((element, index) => decodeAt(element, index, decode));
  };
}
