import prettyBytes from "pretty-bytes";

/** The text for a value that the server did not send. */
export const UNKNOWN = "unknown";

/** Formats a time in UTC, to the second. */
export function formatTime(time: Date | null): string {
  return time === null ? UNKNOWN : `${time.toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** Formats a size, such as `1.05 MiB`. */
export function formatSize(bytes: number): string {
  return prettyBytes(bytes, { binary: true });
}

/** Formats a remaining time, such as `1:05` or `2:00:00`. */
export function formatRemaining(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60].map((n) =>
    String(n).padStart(2, "0")
  );
  const hours = Math.floor(seconds / 3600);
  return hours > 0 ? [hours, ...parts].join(":") : parts.join(":").replace(/^0/, "");
}

/** Formats a count, such as `1 checkpoint` or `2 checkpoints`. */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
