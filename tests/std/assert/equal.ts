/**
 * Compares as `equal` of `@std/assert` does: by prototype and by all properties, including hidden and
 * inherited ones unless the prototype is that of a plain object or an array. Therefore two errors are
 * equal only if their stacks are, and two instances only if their getters return equal values.
 */
export function equal(one: unknown, other: unknown): boolean {
  return isEqual(one, other, new Map());
}

/** `compared` contains the pairs in comparison, because objects can refer to themselves. */
function isEqual(one: unknown, other: unknown, compared: Map<object, object>): boolean {
  if (one === other || Object.is(one, other)) return true;
  if (!isObject(one) || !isObject(other)) return false;
  if (one instanceof Date && other instanceof Date) {
    return Object.is(one.getTime(), other.getTime());
  }
  const prototype = plainPrototype(one);
  if (prototype !== plainPrototype(other)) return false;
  if (one instanceof WeakMap || one instanceof WeakSet) {
    throw new TypeError(`Cannot compare ${one.constructor.name} instances`);
  }
  if (one instanceof WeakRef && other instanceof WeakRef) {
    return isEqual(one.deref(), other.deref(), compared);
  }
  if (isTypedArray(one) && isTypedArray(other)) return hasSameNumbers(one, other);
  if (isBuffer(one) && isBuffer(other)) {
    return hasSameNumbers(new Uint8Array(one), new Uint8Array(other));
  }

  if (compared.get(one) === other) return true;
  if (Object.keys(one).length !== Object.keys(other).length) return false;
  compared.set(one, other);

  if (one instanceof Map && other instanceof Map) return hasEqualEntries(one, other, compared);
  if (one instanceof Set && other instanceof Set) return hasEqualEntries(one, other, compared);
  if (COMPARED_AS_TEXT.has(prototype)) return String(one) === String(other);
  const keys = isPlain(prototype)
    ? new Set(Reflect.ownKeys({ ...one, ...other }))
    : allKeys(one).union(allKeys(other));
  return keys.values().every((key) =>
    key in one === key in other &&
    isEqual(Reflect.get(one, key), Reflect.get(other, key), compared)
  );
}

const COMPARED_AS_TEXT = new Set<unknown>(
  [Intl.Locale, RegExp, URL, URLSearchParams].map(({ prototype }) => prototype),
);

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The prototype; an object without one counts as a plain object. */
function plainPrototype(value: object): unknown {
  return Object.getPrototypeOf(value) ?? Object.prototype;
}

function isPlain(prototype: unknown): boolean {
  return prototype === Object.prototype || prototype === Array.prototype;
}

function isBuffer(value: object): value is ArrayBufferLike {
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

function isTypedArray(value: object): value is Uint8Array | BigUint64Array {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function hasSameNumbers(
  one: Uint8Array | BigUint64Array,
  other: Uint8Array | BigUint64Array,
): boolean {
  if (one.length !== other.length) return false;
  return one.keys().every((index) =>
    one[index] === other[index] || Object.is(one[index], other[index])
  );
}

/** Matches entries in any order; keys that are objects are compared by value. */
function hasEqualEntries(
  one: Map<unknown, unknown> | Set<unknown>,
  other: Map<unknown, unknown> | Set<unknown>,
  compared: Map<object, object>,
): boolean {
  const isIn = ([key, value]: [unknown, unknown]) => {
    if (!isObject(key)) {
      return other.has(key) && (other instanceof Set || isEqual(value, other.get(key), compared));
    }
    return other.entries().some((candidate) =>
      isEqual(key, candidate[0], compared) && isEqual(value, candidate[1], compared)
    );
  };
  return one.size === other.size && one.entries().every(isIn);
}

function allKeys(value: object): Set<PropertyKey> {
  const keys = new Set<PropertyKey>();
  for (
    let owner: object | null = value;
    owner !== null && !isPlain(owner);
    owner = Object.getPrototypeOf(owner)
  ) {
    for (const key of Reflect.ownKeys(owner)) keys.add(key);
  }
  return keys;
}
