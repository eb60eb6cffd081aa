import type { DownloadEvent } from "@hpcai/rx";
import { columns, cyan, dim, isTerminal } from "./screen.ts";

const MAX_BAR_WIDTH = 32;

/** One line on how far a download is: a bar where it can move, bytes, rate and time left. */
export function progressLine(event: DownloadEvent): string {
  if (event.type === "complete") return withBar(1, `100 %  ${mebibytes(event.loaded)}  complete`);
  const { loaded, total, bytesPerSecond, remainingMs } = event;
  const rate = `${mebibytes(bytesPerSecond)}/s`;
  if (total === undefined) return `${mebibytes(loaded)}  ${rate}`;
  const percent = Math.floor(loaded / total * 100).toString().padStart(3);
  const whole = mebibytes(total);
  const part = mebibytes(loaded).padStart(whole.length);
  const left = remainingMs === undefined ? "" : `${Math.ceil(remainingMs / 1000)} s left`;
  return withBar(loaded / total, `${percent} %  ${part} of ${whole}  ${rate}  ${left}`);
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** Puts a bar before a text where there is room: a line that wraps could not change in place. */
function withBar(fraction: number, text: string): string {
  const width = Math.min(MAX_BAR_WIDTH, columns() - text.length - "    ".length - 1);
  if (!isTerminal || width <= 0) return text;
  const full = Math.round(fraction * width);
  return `${cyan("█".repeat(full))}${dim("░".repeat(width - full))}  ${text}`;
}
