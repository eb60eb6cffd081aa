import { inspect } from "../arguments.ts";
import { isLoopback } from "../client_settings.ts";
import { InvalidArgumentError } from "../errors.ts";

/**
 * Makes a function that returns whether a request comes from one of the proxy's own pages.
 *
 * It checks the host, since a site can resolve its own name to this server (DNS rebinding), and the
 * headers `Origin` and `Sec-Fetch-Site` (Fetch Metadata), which pages cannot set.
 *
 * @param allowedOrigins The origins of the pages besides those at loopback hosts.
 * @throws {InvalidArgumentError} if one is not an origin.
 */
export function originPolicy(allowedOrigins: readonly string[]): (request: Request) => boolean {
  if (!Array.isArray(allowedOrigins)) throw invalidOrigin(allowedOrigins);
  allowedOrigins.forEach(requireOrigin);
  // Hosts are compared without the scheme, since a server in front of this one may end TLS.
  const allowedHosts = allowedOrigins.map((origin) => new URL(origin).host);
  const isAllowedHost = (url: string) =>
    URL.canParse(url) &&
    (isLoopback(new URL(url).hostname) || allowedHosts.includes(new URL(url).host));
  return ({ url, headers }) => {
    const { origin: ownOrigin, host } = new URL(url);
    // A server can build the URL from something other than the header.
    if (!isAllowedHost(url) || !isAllowedHost(`http://${headers.get("Host") ?? host}`)) {
      return false;
    }
    const origin = headers.get("Origin");
    if (origin !== null && allowedOrigins.includes(origin)) return true;
    return (origin ?? ownOrigin) === ownOrigin &&
      (headers.get("Sec-Fetch-Site") ?? "same-origin") === "same-origin";
  };
}

function requireOrigin(origin: unknown): void {
  if (typeof origin !== "string" || !URL.canParse(origin)) throw invalidOrigin(origin);
  const url = new URL(origin);
  if (!/^https?:$/.test(url.protocol) || url.origin !== origin) throw invalidOrigin(origin);
}

function invalidOrigin(value: unknown): InvalidArgumentError {
  return new InvalidArgumentError(
    "allowedOrigins",
    `must contain origins such as "https://app.example.com", got ${inspect(value)}`,
  );
}
