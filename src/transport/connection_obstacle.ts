import type { ConnectionObstacle } from "../errors.ts";

/** Codes of Node's and Bun's certificate checks: OpenSSL's names, and `ERR_TLS_CERT_…`. */
const CERTIFICATE_CODES = /CERT|CRL|^UNABLE_TO_|^INVALID_|^HOSTNAME_|^PATH_LENGTH/;

/** What rustls says first of a certificate that it refuses; Deno's errors have no code. */
const DENO_CERTIFICATE = "invalid peer certificate";

/**
 * The ports that `fetch` must not connect to (Fetch standard, section "Port blocking"): each as its
 * distance from the one before, which takes half the bytes in a browser.
 */
// deno-fmt-ignore
const BLOCKED_PORTS: readonly number[] = [
  1, 6, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 2, 12, 5, 1, 10, 16, 8, 2, 8, 8, 6, 1, 1, 1, 5, 1, 1, 2, 2,
  2, 2, 4, 12, 2, 2, 4, 18, 18, 210, 38, 38, 47, 1, 1, 1, 11, 4, 1, 1, 8, 8, 6, 2, 7, 24, 14, 35,
  353, 1, 3, 2, 724, 1, 3, 326, 1610, 386, 145, 870, 1, 939, 566, 99, 1, 1, 1, 1, 10, 18, 3383,
];

/**
 * Why no attempt to connect can succeed, or `undefined` where another one may.
 *
 * @param cause What `fetch` rejected with, its chain of causes without a circle.
 * @param url Where it was to connect to.
 */
export function connectionObstacle(cause: unknown, url: URL): ConnectionObstacle | undefined {
  let hasCode = false;
  for (let error = cause; error instanceof Error; error = error.cause) {
    const code = "code" in error ? String(error.code) : "";
    if (error.name === "NotCapable" || code === "ERR_ACCESS_DENIED") return "permission";
    if (CERTIFICATE_CODES.test(code) || error.message.includes(DENO_CERTIFICATE)) {
      return "certificate";
    }
    hasCode ||= code !== "";
  }
  // A runtime that does connect to such ports says with a code why it could not.
  return !hasCode && isBlocked(Number(url.port)) ? "port" : undefined;
}

function isBlocked(port: number): boolean {
  let blocked = 0;
  return BLOCKED_PORTS.some((distance) => (blocked += distance) === port);
}
