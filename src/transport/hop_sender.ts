import { type ClientSettings, urlProblem } from "../client_settings.ts";
import { type ApiConnectionError, ApiRedirectError, type ApiRequestInfo } from "../errors.ts";
import { loadModule } from "../load_module.ts";
import { discardBody } from "./response_body.ts";
import type { RedirectRules } from "./redirect_rules.ts";
import { type Hop, type HopResponse, requestInfo, type SendHop } from "./hop.ts";
import { type HopEvent, observeHops } from "./hop_events.ts";
import { hopHeaders } from "./hop_headers.ts";
import { type Redactor, redactor, urlWithoutQuery } from "./redact.ts";
import { send } from "./send.ts";

/** How to send hops. */
export interface HopSenderOptions {
  readonly settings: Pick<ClientSettings, "allowInsecureHttp" | "baseUrl" | "fetch" | "headers">;
  /** The key, or `undefined` where a proxy adds it. */
  readonly apiKey: string | undefined;
  /** Aborts the hops, and the bodies of their responses. */
  readonly signal: AbortSignal;
  /** Called with each event of a hop. */
  readonly emit?: (event: HopEvent) => void;
}

/**
 * Sends the hops of one attempt through all layers: redirects, events, headers, `fetch`. It neither
 * retries nor limits concurrency, so that a proxy can use it as a client does.
 */
export interface HopSender extends Redactor {
  /** Sends a hop and follows the redirects from there. */
  readonly send: SendHop;
  /**
   * Sends the hop that follows a response, and follows the redirects from there.
   *
   * @param location The URL in a JSON response; without it, the target of the redirect.
   */
  follow(from: HopResponse, location?: string): Promise<HopResponse>;
  /** The latest hop, as errors may contain it. */
  latestRequest(): ApiRequestInfo | undefined;
  /** Emits the `failure` of the hop in flight, if there is one. */
  reportFailure(error: ApiConnectionError): void;
}

/** Makes a sender of hops. */
export function hopSender(
  { settings, apiKey, signal, emit = () => {} }: HopSenderOptions,
): HopSender {
  const { allowInsecureHttp, baseUrl, fetch, headers } = settings;
  const secrets = redactor(apiKey, headers);
  const { redact, hideQuery } = secrets;
  const rules: RedirectRules = {
    baseUrl,
    hideQuery,
    redactUrl: (url) => redact(urlWithoutQuery(url)),
    problemOf: (url) => urlProblem(url, allowInsecureHttp),
  };
  const hops = observeHops(
    (hop) => send(hop, hopHeaders(hop, { apiKey, headers }), { fetch, signal, redact }),
    { baseUrl, redact, signal, emit },
  );

  const sendAndFollow = async (hop: Hop): Promise<HopResponse> => {
    const from = await hops.send(hop);
    return isRedirect(from) ? follow(from) : from;
  };
  const follow = async (from: HopResponse, location?: string): Promise<HopResponse> => {
    const { nextHop } = await loadModule(() => import("./redirect_rules.ts"));
    await discardBody(from.response);
    const next = nextHop(from, location, rules);
    if ("url" in next) return sendAndFollow(next);
    throw new ApiRedirectError(next.problem, requestInfo(from, redact), next);
  };

  return { ...hops, ...secrets, send: sendAndFollow, follow };
}

const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308];

/** Whether a response is a redirect; browsers hide its status and target. */
function isRedirect({ response: { type, status, headers } }: HopResponse): boolean {
  return type === "opaqueredirect" || REDIRECT_STATUSES.includes(status) && headers.has("Location");
}
