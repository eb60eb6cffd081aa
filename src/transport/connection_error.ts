import {
  ApiConnectionError,
  type ApiConnectionErrorOptions,
  type ConnectionObstacle,
} from "../errors.ts";
import { type Hop, requestInfo } from "./hop.ts";
import type { Redact } from "./redact.ts";

/** Makes the error for a cause, already free of secrets, that ended a hop or the body of its response. */
export function connectionError(
  problem: string,
  cause: unknown,
  exchange: { readonly hop: Hop; readonly response?: Response },
  redact: Redact,
  options?: ApiConnectionErrorOptions,
): ApiConnectionError {
  return new ApiConnectionError(
    `${problem}: ${deepestReason(cause)}`,
    requestInfo(exchange, redact),
    { cause, ...options },
  );
}

/** The message of the innermost cause; the outer one is no more than "fetch failed" in Node. */
export function deepestReason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.cause !== undefined) return deepestReason(cause.cause);
  // Node's AggregateError, of a host with several addresses, has no message.
  return cause.message || ("code" in cause ? String(cause.code) : cause.name);
}

const GENERAL_ADVICE = "Check the network and baseUrl.";

/** What to do about a failed connection. */
export async function connectionAdvice(
  obstacle: ConnectionObstacle | undefined,
  url: URL,
): Promise<string> {
  // A failure that is retried loads nothing, except where Node may ignore a proxy.
  const { process, Deno } = globalThis as RuntimeGlobals;
  const mayIgnoreProxy = Deno === undefined &&
    Object.keys(process?.env ?? {}).some((name) => /^https?_proxy$/i.test(name));
  if (!obstacle && !mayIgnoreProxy) return GENERAL_ADVICE;
  try {
    const { obstacleAdvice, ignoredProxyAdvice } = await import("./connection_advice.ts");
    return obstacle
      ? obstacleAdvice(obstacle, url)
      : ignoredProxyAdvice(url, globalThis) ?? GENERAL_ADVICE;
  } catch {
    return GENERAL_ADVICE;
  }
}

/** The globals that tell Node from Deno, which uses the proxy of the environment. */
interface RuntimeGlobals {
  readonly Deno?: object;
  readonly process?: { readonly env?: object };
}
