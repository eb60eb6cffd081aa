const MINUTE_MS = 60_000;

/** What to do about an error status, where that does not depend on the endpoint. */
export function statusAdvice(
  status: number,
  isRedirected: boolean,
  retryAfterMs: number | undefined,
): string | undefined {
  if (status === 429 || status === 503) {
    return `Retry ${retryAfterMs ? `in ${duration(retryAfterMs)}` : "later"}.`;
  }
  if (isRedirected && status < 500) return "Download it again, which requests a new URL.";
  return {
    401: "Check the option apiKey or HPCAI_API_KEY.",
    403: "Use a key with this permission.",
    404: "Check the ids with listTrainingRuns$ and listCheckpoints$.",
  }[status];
}

/** A duration in seconds or minutes, rounded up. */
function duration(ms: number): string {
  return ms > 2 * MINUTE_MS ? `${Math.ceil(ms / MINUTE_MS)} minutes` : `${Math.ceil(ms / 1000)} s`;
}
