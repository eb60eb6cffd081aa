import type { Hop, HopResponse } from "./hop.ts";

/** The most redirects that are followed; more are taken for a loop. */
export const MAX_REDIRECTS = 5;

/** Why a redirect is not followed, and what to do instead. */
export interface RedirectFault {
  readonly problem: string;
  readonly advice?: string | undefined;
}

/** What the rules for redirects depend on. */
export interface RedirectRules {
  /** The API's URL, whose origin alone is trusted. */
  readonly baseUrl: URL;
  /** Makes the query of a URL secret. */
  hideQuery(url: URL): void;
  /** The part of a URL that messages may hold. */
  show(url: URL): string;
  /** Why requests must not go to a URL, whatever redirects there. */
  faultOf(url: URL): { readonly reason: string; readonly advice?: string } | undefined;
}

/**
 * The hop that follows a response: to the target of a redirect, or to the URL in a JSON response. A hop
 * that has left the API's origin is never trusted again.
 *
 * It is a fault if the redirect is one too many; has no valid URL, or one with credentials; uses `http:`
 * after `https:`, or where that is not allowed; or would change a request that is no GET, or send it to
 * another origin.
 *
 * @param from The response.
 * @param location The URL in its JSON, absolute or relative to that of the hop; without it, the target
 * of the redirect.
 */
export function nextHop(
  { hop, response }: HopResponse,
  location: string | undefined,
  rules: RedirectRules,
): Hop | RedirectFault {
  const { method, url: from, isTrusted, redirects } = hop;
  if (response.type === "opaqueredirect") {
    return {
      problem: "Cannot follow a redirect in a page, since browsers hide its target",
      advice:
        "Reach the API through a proxy on the page's own origin, or have the server respond " +
        'with JSON, {"url": "…"}.',
    };
  }
  if (redirects === MAX_REDIRECTS) {
    return { problem: `The server redirects more than ${MAX_REDIRECTS} times` };
  }
  const target = location ?? response.headers.get("Location") ?? "";
  if (!URL.canParse(target, from)) return { problem: "The target of the redirect is no URL" };
  const url = new URL(target, from);
  rules.hideQuery(url);
  const fault = url.username !== "" || url.password !== ""
    ? { reason: "contains credentials" }
    : from.protocol === "https:" && url.protocol === "http:"
    ? { reason: "falls from https: to http:" }
    : rules.faultOf(url);
  if (fault !== undefined) {
    return {
      problem: `Cannot follow the redirect to ${rules.show(url)}: it ${fault.reason}`,
      advice: fault.advice,
    };
  }
  const next: Hop = {
    ...hop,
    url,
    isTrusted: isTrusted && url.origin === rules.baseUrl.origin,
    redirects: redirects + 1,
  };
  return method !== "GET" && (response.status === 303 || !next.isTrusted)
    ? { problem: `Cannot follow a redirect of a ${method} request` }
    : next;
}
