import { requireInteger, requireMilliseconds } from "../arguments.ts";
import type { TransferSettings } from "./download_event.ts";
import type { TransferOptions } from "./transfer_options.ts";

const DEFAULT_PROGRESS_INTERVAL_MS = 100;
const DEFAULT_IDLE_TIMEOUT_MS = 30_000;

/** The Python SDK's budget for retries. */
const DEFAULT_PREPARE_TIMEOUT_MS = 300_000;

/**
 * Checks what all downloads can be told and fills in the defaults.
 *
 * @throws {InvalidArgumentError} naming the option that is not usable.
 */
export function transferSettings(
  {
    progressIntervalMs = DEFAULT_PROGRESS_INTERVAL_MS,
    idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS,
    prepareTimeoutMs = DEFAULT_PREPARE_TIMEOUT_MS,
    maxBytes = Infinity,
    minBytesPerSecond = 0,
  }: TransferSettings,
): TransferOptions & { readonly progressIntervalMs: number } {
  requireMilliseconds("progressIntervalMs", progressIntervalMs, 0);
  requireMilliseconds("idleTimeoutMs", idleTimeoutMs, 1);
  requireMilliseconds("prepareTimeoutMs", prepareTimeoutMs, 0);
  if (maxBytes !== Infinity) requireInteger("maxBytes", maxBytes, 0);
  requireInteger("minBytesPerSecond", minBytesPerSecond, 0);
  return { progressIntervalMs, idleTimeoutMs, prepareTimeoutMs, maxBytes, minBytesPerSecond };
}
