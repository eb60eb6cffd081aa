import type { DownloadCompleteEvent, DownloadEvent } from "@hpcai/rx";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Describes the progress of a download: `22.8 MB of 67.1 MB · 8.39 MB/s · 6 s left`. */
export function progressWords(
  event: Exclude<DownloadEvent, DownloadCompleteEvent> | undefined,
): string {
  if (event === undefined) return "Starting";
  if (event.type === "preparing") return "The server is building the archive";
  if (event.type === "restart") return "Restarting from the first byte";
  const { loaded, total, bytesPerSecond, remainingMs } = event;
  return [
    total === undefined ? byteSize(loaded) : `${byteSize(loaded)} of ${byteSize(total)}`,
    ...(bytesPerSecond > 0 ? [`${byteSize(bytesPerSecond)}/s`] : []),
    ...(remainingMs === undefined ? [] : [`${duration(remainingMs)} left`]),
  ].join(" · ");
}

/** Formats a number of bytes: `67.1 MB`. */
export function byteSize(bytes: number): string {
  const exponent = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  return new Intl.NumberFormat("en", {
    style: "unit",
    unit: UNITS[exponent],
    maximumSignificantDigits: 3,
  }).format(bytes / 1000 ** exponent);
}

/** Formats milliseconds: `40 s`, `3 min`, `1 h 20 min`. */
function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
