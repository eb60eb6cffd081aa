import { requireInteger, requireMilliseconds } from "../arguments.ts";
import type { TransferOptions } from "./download_event.ts";

const DEFAULT_PROGRESS_INTERVAL_MS = 100;
const DEFAULT_IDLE_TIMEOUT_MS = 30_000;

/** How long the Python SDK retries. */
const DEFAULT_PREPARE_TIMEOUT_MS = 300_000;

/** The validated options that all downloads share, with all defaults. */
export type TransferSettings = Readonly<Record<keyof TransferOptions, number>>;

/**
 * Validates the options that all downloads share and adds the defaults.
 *
 * @throws {InvalidArgumentError} that names the invalid option.
 */
export function toTransferSettings(
  {
    progressIntervalMs = DEFAULT_PROGRESS_INTERVAL_MS,
    idleTimeoutMs = DEFAULT_IDLE_TIMEOUT_MS,
    prepareTimeoutMs = DEFAULT_PREPARE_TIMEOUT_MS,
    maxBytes = Infinity,
    minBytesPerSecond = 0,
  }: TransferOptions,
): TransferSettings {
  requireMilliseconds("progressIntervalMs", progressIntervalMs, 0);
  requireMilliseconds("idleTimeoutMs", idleTimeoutMs, 1);
  requireMilliseconds("prepareTimeoutMs", prepareTimeoutMs, 0);
  if (maxBytes !== Infinity) requireInteger("maxBytes", maxBytes, 0);
  requireInteger("minBytesPerSecond", minBytesPerSecond, 0);
  return { progressIntervalMs, idleTimeoutMs, prepareTimeoutMs, maxBytes, minBytesPerSecond };
}
