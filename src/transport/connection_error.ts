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
  at: { readonly hop: Hop; readonly response?: Response },
  redact: Redact,
  options?: ApiConnectionErrorOptions,
): ApiConnectionError {
  return new ApiConnectionError(
    `${problem}: ${deepestReason(cause)}`,
    requestInfo(at, redact),
    { cause, ...options },
  );
}

/** The message of the innermost cause; in Node the outer one is only "fetch failed". */
export function deepestReason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.cause !== undefined) return deepestReason(cause.cause);
  // Node's AggregateError, of a host with several addresses, has no message.
  return cause.message || ("code" in cause ? String(cause.code) : cause.name);
}

const DEFAULT_ADVICE = { advice: "Check the network and baseUrl." };

/** What to do about a failed connection, and the proxy that the runtime ignored, if any. */
export async function connectionAdvice(
  obstacle: ConnectionObstacle | undefined,
  url: URL,
): Promise<Pick<ApiConnectionErrorOptions, "advice" | "ignoredProxy">> {
  // Most failures are retried; the advice is loaded only where it can differ.
  const { process, Deno } = globalThis as RuntimeGlobals;
  const mayIgnoreProxy = Deno === undefined &&
    Object.keys(process?.env ?? {}).some((name) => /^https?_proxy$/i.test(name));
  if (!obstacle && !mayIgnoreProxy) return DEFAULT_ADVICE;
  try {
    const module = await import("./connection_advice.ts");
    if (obstacle) return { advice: module.obstacleAdvice(obstacle, url) };
    const ignoredProxy = module.ignoredProxy(url, globalThis);
    if (!ignoredProxy) return DEFAULT_ADVICE;
    return { advice: module.ignoredProxyAdvice(ignoredProxy), ignoredProxy };
  } catch {
    return DEFAULT_ADVICE;
  }
}

/** The globals that distinguish Node from Deno, which uses the proxy of the environment. */
interface RuntimeGlobals {
  readonly Deno?: object;
  readonly process?: { readonly env?: object };
}
