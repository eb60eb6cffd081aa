import type { ConnectionObstacle } from "../errors.ts";

/** The parts of Node's globals that show whether it uses the proxy of the environment. */
export interface NodeGlobals {
  readonly process?: {
    readonly env?: Readonly<Record<string, string | undefined>>;
    readonly execArgv?: readonly string[];
    readonly versions?: Readonly<Record<string, string | undefined>>;
  };
  readonly [DISPATCHER]?: object;
}

/** The key of the dispatcher of Node's `fetch`, which an app can replace with one that uses a proxy. */
const DISPATCHER = Symbol.for("undici.globalDispatcher.1");

/** What to do about an obstacle to a connection. */
export function obstacleAdvice(obstacle: ConnectionObstacle, url: URL): string {
  switch (obstacle) {
    case "certificate":
      return "Check baseUrl and the clock of this machine. Trust a private authority with DENO_CERT " +
        "in Deno, or with NODE_EXTRA_CA_CERTS in Node.";
    case "permission":
      return "Deno" in globalThis ? `Run with --allow-net=${url.host}.` : "Run with --allow-net.";
    case "port":
      return "Use another port in baseUrl.";
    case "fetch":
      return "Make the option fetch return the Response before its body is read.";
  }
}

/** What to do where Node ignores the proxy that an environment variable names. */
export function ignoredProxyAdvice(variable: string): string {
  return `Node ignores ${variable}. Set NODE_USE_ENV_PROXY=1, which Node 24 and later support, or ` +
    "pass the option fetch with one that uses the proxy.";
}

/**
 * The environment variable of a proxy that Node ignores, or `undefined` where there is none or that
 * is uncertain. Node uses a proxy only with `NODE_USE_ENV_PROXY=1` or `--use-env-proxy`.
 */
export function ignoredProxy(
  url: URL,
  { process, [DISPATCHER]: dispatcher }: NodeGlobals,
): string | undefined {
  const { env = {}, execArgv = [], versions = {} } = process ?? {};
  if (versions["node"] === undefined || (versions["bun"] ?? versions["deno"])) return undefined;
  const scheme = url.protocol.slice(0, -1);
  const variable = [`${scheme}_proxy`, `${scheme.toUpperCase()}_PROXY`].find((name) => env[name]);
  const isUsed = env["NODE_USE_ENV_PROXY"] === "1" ||
    [env["NODE_OPTIONS"] ?? "", ...execArgv].some((flags) => flags.includes("--use-env-proxy"));
  const isReplaced = dispatcher !== undefined && dispatcher.constructor.name !== "Agent";
  const isExempt = Boolean(env["NO_PROXY"] || env["no_proxy"]);
  return isUsed || isReplaced || isExempt ? undefined : variable;
}
