import { assertEquals } from "@std/assert";
import {
  ignoredProxy,
  ignoredProxyAdvice,
  type NodeGlobals,
  obstacleAdvice,
} from "../../src/transport/connection_advice.ts";

const url = new URL("https://api.example:8443/");
const node = (process: NodeGlobals["process"]): NodeGlobals => ({
  process: { versions: { node: "22.1.0" }, ...process },
});
const proxy = "http://user:secret@proxy.example";

Deno.test("obstacleAdvice names the host that Deno must allow", () => {
  assertEquals(obstacleAdvice("permission", url), "Run with --allow-net=api.example:8443.");
});

Deno.test("ignoredProxy returns the variable that Node ignores, and not its value", () => {
  assertEquals(ignoredProxy(url, node({ env: { HTTPS_PROXY: proxy } })), "HTTPS_PROXY");
});

Deno.test("ignoredProxy prefers the lower-case variable, as Node does", () => {
  const env = { https_proxy: proxy, HTTPS_PROXY: proxy };
  assertEquals(ignoredProxy(url, node({ env })), "https_proxy");
});

Deno.test("ignoredProxyAdvice names the variable and how to make Node use the proxy", () => {
  assertEquals(
    ignoredProxyAdvice("HTTPS_PROXY"),
    "Node ignores HTTPS_PROXY. Set NODE_USE_ENV_PROXY=1, which Node 24 and later support, or pass " +
      "the option fetch with one that uses the proxy.",
  );
});

const HTTPS_PROXY = proxy;
const uncertain: [string, NodeGlobals][] = [
  ["no proxy is set", node({ env: {} })],
  ["the proxy is for http: only", node({ env: { HTTP_PROXY: proxy } })],
  ["NODE_USE_ENV_PROXY is 1", node({ env: { HTTPS_PROXY, NODE_USE_ENV_PROXY: "1" } })],
  ["--use-env-proxy is given", node({ env: { HTTPS_PROXY }, execArgv: ["--use-env-proxy"] })],
  [
    "NODE_OPTIONS has --use-env-proxy",
    node({ env: { HTTPS_PROXY, NODE_OPTIONS: "--use-env-proxy" } }),
  ],
  ["NO_PROXY may exempt the host", node({ env: { HTTPS_PROXY, NO_PROXY: "*" } })],
  ["the runtime is Bun", node({ env: { HTTPS_PROXY }, versions: { node: "22.1.0", bun: "1.2" } })],
  ["the runtime is Deno", node({ env: { HTTPS_PROXY }, versions: { node: "22.1.0", deno: "2" } })],
  ["there is no process", {}],
  [
    "the app has replaced the dispatcher of fetch",
    {
      ...node({ env: { HTTPS_PROXY } }),
      [Symbol.for("undici.globalDispatcher.1")]: new (class EnvHttpProxyAgent {})(),
    },
  ],
];
for (const [condition, globals] of uncertain) {
  Deno.test(`ignoredProxy returns undefined where ${condition}`, () => {
    assertEquals(ignoredProxy(url, globals), undefined);
  });
}
