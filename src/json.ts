// This module is browser compatible.

import { show } from "./arguments.ts";

/** Turns JSON into what it stands for; throws a {@linkcode JsonFault} if it cannot. */
export type Decode<T> = (json: unknown) => T;

/** What is wrong with JSON. */
export class JsonFault {
  /** Where the fault is, such as `training_runs[3].is_lora`; empty for the whole. */
  path = "";

  /** @param problem What was expected, and what was there. */
  constructor(readonly problem: string) {}
}

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function expected(what: string, value: unknown): JsonFault {
  // Of an object only that it is one: Node 20 throws if it writes one that is nested too deep.
  return new JsonFault(`expected ${what}, got ${show(value)}`);
}

/** Decodes a part of JSON, and says of a fault in it where it is. */
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

/** What servers may also send as null, or not at all. */
export function nullable<T>(decode: Decode<T>): Decode<T | null> {
  return (value) => value === null || value === undefined ? null : decode(value);
}

export function list<T>(decode: Decode<T>): Decode<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw expected("an array", value);
    return value.map((element, index) => part(element, index, decode));
  };
}
