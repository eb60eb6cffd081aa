import type { Hop, HopResponse } from "./hop.ts";

/** How many redirects are followed; more are considered a loop. */
export const MAX_REDIRECTS = 5;

/** Why a redirect is not followed, and what to do instead. */
export interface RedirectProblem {
  readonly problem: string;
  readonly advice?: string | undefined;
}

/** The settings of the rules for redirects. */
export interface RedirectRules {
  /** The API's URL; only its origin is trusted. */
  readonly baseUrl: URL;
  /** Makes the query of a URL secret. */
  hideQuery(url: URL): void;
  /** The part of a URL that messages may contain. */
  redactUrl(url: URL): string;
  /** Why requests must not go to a URL, with or without a redirect. */
  problemOf(url: URL): { readonly reason: string; readonly advice?: string } | undefined;
}

/**
 * The hop that follows a response: to the target of a redirect, or to the URL in a JSON response. A hop
 * that has left the API's origin is never trusted again.
 *
 * A redirect is not followed if
 * - it is one too many;
 * - its URL is invalid, or contains credentials;
 * - its URL is `http:` after `https:`, or where that is not allowed;
 * - the request is not a GET, and the redirect would make it one or send it to another origin.
 *
 * @param from The response.
 * @param location The URL in its JSON, absolute or relative to that of the hop; without it, the target
 * of the redirect.
 */
export function nextHop(
  { hop, response }: HopResponse,
  location: string | undefined,
  rules: RedirectRules,
): Hop | RedirectProblem {
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
  if (!URL.canParse(target, from)) {
    return { problem: "The target of the redirect is not a valid URL" };
  }
  const url = new URL(target, from);
  rules.hideQuery(url);
  const problem = url.username !== "" || url.password !== ""
    ? { reason: "contains credentials" }
    : from.protocol === "https:" && url.protocol === "http:"
    ? { reason: "downgrades https: to http:" }
    : rules.problemOf(url);
  if (problem !== undefined) {
    return {
      problem: `Cannot follow the redirect to ${rules.redactUrl(url)}: it ${problem.reason}`,
      advice: problem.advice,
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
