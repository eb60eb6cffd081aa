// This module is browser compatible.

import { errorResponse, type FakeResponse, jsonResponse } from "./fake_response.ts";

/** A listing and how its pages are made. */
export interface Listing<T> {
  /** The name of the array in the JSON. */
  readonly name: string;
  readonly items: readonly T[];
  readonly toJson: (item: T) => unknown;
  /** The page size of a request without a limit. */
  readonly defaultLimit: number;
  readonly maxLimit: number;
  /** The `total_count` of a page past the end. */
  readonly totalCountPastEnd: "true" | "zero";
}

/** Returns the page of a listing that `limit` and `offset` select, with its cursor. */
export function pageResponse<T>(query: URLSearchParams, listing: Listing<T>): FakeResponse {
  const { name, items, toJson, defaultLimit, maxLimit, totalCountPastEnd } = listing;
  const limit = Number(query.get("limit") ?? defaultLimit);
  const offset = Number(query.get("offset") ?? 0);
  if (!Number.isSafeInteger(limit) || limit < 1) return invalidQueryResponse("limit", 1);
  if (!Number.isSafeInteger(offset) || offset < 0) return invalidQueryResponse("offset", 0);
  const size = Math.min(limit, maxLimit);
  const total = items.length;
  const isPastEnd = offset > 0 && offset >= total;
  return jsonResponse({
    [name]: items.slice(offset, offset + size).map(toJson),
    cursor: {
      offset,
      limit: size,
      total_count: isPastEnd && totalCountPastEnd === "zero" ? 0 : total,
    },
  });
}

/** Returns FastAPI's response to an invalid query parameter. */
function invalidQueryResponse(name: string, minimum: number): FakeResponse {
  return errorResponse(422, "fastapi-validation", {
    code: "greater_than_equal",
    message: `Input should be an integer greater than or equal to ${minimum}`,
    location: ["query", name],
  });
}
