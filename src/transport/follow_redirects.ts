import { ApiRedirectError } from "../errors.ts";
import { insecurity, type UrlFault } from "../client_settings.ts";
import { discardBody } from "./bounded_text.ts";
import { type Hop, type HopResponse, requestInfo } from "./hop.ts";
import { type Redactor, shownUrl } from "./redact.ts";

/** The most redirects that are followed; more are taken for a loop. */
export const MAX_REDIRECTS = 5;

/** What the rules for redirects depend on. */
export interface RedirectSettings extends Redactor {
  /** The API's URL, whose origin alone is trusted. */
  readonly baseUrl: URL;
  readonly allowInsecureHttp: boolean;
}

/**
 * The hop to the target of a redirect response, whose body is discarded.
 *
 * @throws {ApiRedirectError} if the redirect must not or cannot be followed.
 */
export async function redirectedHop(
  from: HopResponse,
  settings: RedirectSettings,
): Promise<Hop> {
  const { hop, response } = from;
  const refused = (problem: string, advice?: string) =>
    redirectError(from, settings, problem, advice);
  if (response.type === "opaqueredirect") {
    throw refused(
      "Cannot follow a redirect in a page, since browsers hide its target",
      "Reach the API through a proxy on the page's own origin, or have the server respond with JSON, " +
        '{"url": "…"}.',
    );
  }
  await discardBody(response);
  const target = hopTo(response.headers.get("Location") ?? "", from, settings);
  if (hop.method !== "GET" && (response.status === 303 || !target.isTrusted)) {
    throw refused(`Cannot follow a redirect of a ${hop.method} request`);
  }
  return target;
}

/**
 * The hop to a URL that a server names, in `Location` or in JSON. A hop that has left the API's origin
 * is never trusted again.
 *
 * @param location The URL, absolute or relative to the one of the hop before.
 * @param from The response that names the URL.
 * @throws {ApiRedirectError} if it is one redirect too many, is no URL, contains credentials, or would
 * use `http:` where that is not allowed or where `https:` was used before.
 */
export function hopTo(location: string, from: HopResponse, settings: RedirectSettings): Hop {
  const { hop } = from;
  const refused = (problem: string, advice?: string) =>
    redirectError(from, settings, problem, advice);
  if (hop.redirects === MAX_REDIRECTS) {
    throw refused(`The server redirects more than ${MAX_REDIRECTS} times`);
  }
  if (!URL.canParse(location, hop.url)) throw refused("The target of the redirect is no URL");
  const url = new URL(location, hop.url);
  settings.hideQuery(url);
  const fault: UrlFault | undefined = url.username !== "" || url.password !== ""
    ? { reason: "contains credentials" }
    : hop.url.protocol === "https:" && url.protocol === "http:"
    ? { reason: "falls from https: to http:" }
    : insecurity(url, settings.allowInsecureHttp);
  if (fault !== undefined) {
    const target = settings.redact(shownUrl(url));
    throw refused(`Cannot follow the redirect to ${target}: it ${fault.reason}`, fault.advice);
  }
  const isTrusted = hop.isTrusted && url.origin === settings.baseUrl.origin;
  return { ...hop, url, isTrusted, redirects: hop.redirects + 1 };
}

function redirectError(
  from: HopResponse,
  { redact }: RedirectSettings,
  problem: string,
  advice?: string,
): ApiRedirectError {
  return new ApiRedirectError(problem, requestInfo(from, redact), { advice });
}
