import type { ConnectionObstacle } from "../errors.ts";

/** Codes of Node's and Bun's certificate checks: OpenSSL's names, and `ERR_TLS_CERT_…`. */
const CERTIFICATE_CODES =
  /CERT|CRL|^(UNABLE_TO_.*|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH_EXCEEDED)$/;

/** What rustls says first of a certificate that it refuses; Deno's errors have no code. */
const DENO_CERTIFICATE = "invalid peer certificate";

/** The ports that `fetch` must not connect to (Fetch standard, section "Port blocking"). */
const BLOCKED_PORTS =
  "1,7,9,11,13,15,17,19,20,21,22,23,25,37,42,43,53,69,77,79,87,95,101,102,103," +
  "104,109,110,111,113,115,117,119,123,135,137,139,143,161,179,389,427,465,512,513,514,515,526," +
  "530,531,532,540,548,554,556,563,587,601,636,989,990,993,995,1719,1720,1723,2049,3659,4045," +
  "4190,5060,5061,6000,6566,6665,6666,6667,6668,6669,6679,6697,10080";

/** A chain of causes that is longer goes round in a circle. */
const MAX_CAUSES = 5;

/**
 * Why no attempt to connect can succeed, or `undefined` where another one may.
 *
 * @param thrown What `fetch` rejected with.
 * @param url Where it was to connect to.
 */
export function connectionObstacle(thrown: unknown, url: URL): ConnectionObstacle | undefined {
  let hasCode = false;
  for (
    let error = thrown, depth = 0;
    error instanceof Error && depth < MAX_CAUSES;
    error = error.cause, depth++
  ) {
    const code = "code" in error ? String(error.code) : "";
    if (error.name === "NotCapable" || code === "ERR_ACCESS_DENIED") return "permission";
    if (CERTIFICATE_CODES.test(code) || error.message.includes(DENO_CERTIFICATE)) {
      return "certificate";
    }
    hasCode ||= code !== "";
  }
  // A runtime that does connect to such ports says with a code why it could not.
  return !hasCode && BLOCKED_PORTS.split(",").includes(url.port) ? "port" : undefined;
}
