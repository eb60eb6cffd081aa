import { loadModule } from "../load_module.ts";
import type { ClientSettings } from "../client_settings.ts";
import type { ApiConnectionError, ApiRequestInfo } from "../errors.ts";
import type { Hop, HopResponse, SendHop } from "./hop.ts";
import { type HopEvent, observeHops } from "./hop_events.ts";
import { hopHeaders } from "./hop_headers.ts";
import { type Redactor, redactor } from "./redact.ts";
import { send } from "./send.ts";

/** What hops are sent with. */
export interface HopSenderOptions {
  readonly settings: Pick<ClientSettings, "allowInsecureHttp" | "baseUrl" | "fetch" | "headers">;
  /** The key, or `undefined` where a proxy adds it. */
  readonly apiKey: string | undefined;
  /** Aborts the hops, and the bodies of their responses. */
  readonly signal: AbortSignal;
  /** Called with what happens to each hop. */
  readonly emit?: (event: HopEvent) => void;
}

/**
 * Sends the hops of one attempt through all layers: events, headers, `fetch`, and around them the
 * redirects. It does not retry and has no limit, so that a proxy can use it as a client does.
 */
export interface HopSender extends Redactor {
  /** Sends a hop and follows the redirects from there. */
  readonly send: SendHop;
  /** Sends the hop to a URL that a response names, and follows the redirects from there. */
  follow(location: string, from: HopResponse): Promise<HopResponse>;
  /** The latest hop, as errors may show it. */
  latest(): ApiRequestInfo | undefined;
  /** Emits the `failure` of the hop in flight, if there is one. */
  fail(error: ApiConnectionError): void;
}

/** Makes a sender of hops. */
export function hopSender(
  { settings, apiKey, signal, emit = () => {} }: HopSenderOptions,
): HopSender {
  const { allowInsecureHttp, baseUrl, fetch, headers } = settings;
  const secrets = redactor(apiKey, headers);
  const { redact } = secrets;
  const redirectSettings = { ...secrets, allowInsecureHttp, baseUrl };
  const hops = observeHops(
    (hop) => send(hop, hopHeaders(hop, { apiKey, headers }), { fetch, signal, redact }),
    { baseUrl, redact, signal, emit },
  );

  const sendFollowing = async (hop: Hop): Promise<HopResponse> => {
    const response = await hops.send(hop);
    if (!isRedirect(response)) return response;
    const { redirectedHop } = await importRedirects();
    return sendFollowing(await redirectedHop(response, redirectSettings));
  };

  return {
    ...secrets,
    send: sendFollowing,
    follow: async (location, from) => {
      const { hopTo } = await importRedirects();
      return sendFollowing(hopTo(location, from, redirectSettings));
    },
    latest: hops.latest,
    fail: hops.fail,
  };
}

const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308];

/** Whether a response is a redirect; browsers hide its status and target. */
function isRedirect({ response: { type, status, headers } }: HopResponse): boolean {
  return type === "opaqueredirect" || REDIRECT_STATUSES.includes(status) && headers.has("Location");
}

/** Loaded by the first redirect, since listings of most servers have none. */
const importRedirects = () => loadModule(() => import("./follow_redirects.ts"));
