// This module is browser compatible.

import { show } from "./arguments.ts";

/** Decodes JSON; throws a {@linkcode JsonFault} if it is invalid. */
export type Decode<T> = (json: unknown) => T;

/** Why JSON is invalid. */
export class JsonFault {
  /** Where the fault is, such as `training_runs[3].is_lora`; empty for the root. */
  path = "";

  /** @param problem What was expected, and what was found. */
  constructor(readonly problem: string) {}
}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Makes the fault of a value that is something else than expected. */
export function expected(what: string, value: unknown): JsonFault {
  // Without the contents of an object: Node 20 throws for one that is nested too deep.
  return new JsonFault(`expected ${what}, got ${show(value)}`);
}

/** Decodes a part of JSON, and adds its place to a fault in it. */
export function part<T>(value: unknown, key: string | number, decode: Decode<T>): T {
  try {
    return decode(value);
  } catch (fault) {
    if (fault instanceof JsonFault) {
      const rest = fault.path.replace(/^(?=[^[])/, ".");
      fault.path = (typeof key === "number" ? `[${key}]` : key) + rest;
    }
    throw fault;
  }
}

/** Decodes a member of an object. */
export function field<T>(object: JsonObject, name: string, decode: Decode<T>): T {
  return part(object[name], name, decode);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function object(value: unknown): JsonObject {
  if (isObject(value)) return value;
  throw expected("an object", value);
}

export function text(value: unknown): string {
  if (typeof value === "string") return value;
  throw expected("a string", value);
}

export function boolean(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw expected("true or false", value);
}

export function number(value: unknown): number {
  if (typeof value === "number") return value;
  throw expected("a number", value);
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

export function count(value: unknown): number {
  if (isCount(value)) return value;
  throw expected("a count", value);
}

/** Makes a decoder that also accepts null, and a missing field. */
export function nullable<T>(decode: Decode<T>): Decode<T | null> {
  return (value) => value === null || value === undefined ? null : decode(value);
}

export function list<T>(decode: Decode<T>): Decode<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw expected("an array", value);
    return value.map((element, index) => part(element, index, decode));
  };
}
