import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import { type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { CHROMIUM } from "../../../tests/runtimes/tools.ts";
import { consoleHandler } from "../server.ts";

const DIST = new URL("../dist/browser/", import.meta.url);

/** Responds to a request in place of the fake API, or returns `undefined`. */
export type Interception = (
  request: Request,
  respond: () => Promise<Response>,
) => Promise<Response> | undefined;

/** The console in a browser, on its own server and a fake API behind a socket. */
export interface OpenedConsole extends AsyncDisposable {
  readonly page: Page;
  readonly fake: FakeHpcai;
  /** The URL of the console. */
  readonly url: string;
  /** Called for each request to the API. */
  intercept: Interception;
  /** The errors that the browser reported. */
  readonly browserErrors: string[];
  /** Stops the server of the console and closes its connections. */
  stopServer(): Promise<void>;
  /** Restarts the server at the same port. */
  startServer(): Promise<void>;
}

/** How to open the console. */
export interface OpenOptions {
  /** The path of the page. Default: `/`. */
  readonly path?: string;
  /** The options of the fake API. */
  readonly fakeOptions?: FakeHpcaiOptions;
  /** The options of the browser. */
  readonly browserOptions?: BrowserContextOptions;
  /** Prepares the page before it is loaded. */
  readonly beforeLoad?: (opened: OpenedConsole) => unknown;
}

/** Opens the console in Chromium. */
export async function openConsole(
  { path = "/", fakeOptions, browserOptions, beforeLoad }: OpenOptions,
): Promise<OpenedConsole> {
  const fake = new FakeHpcai({ archiveResponse: "redirect", ...fakeOptions });
  // Aborted, since a failed test may leave a request without a response.
  const apiEnd = new AbortController();
  const api = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, signal: apiEnd.signal },
    (request) => {
      const respond = () => fake.handler(request);
      return opened.intercept(request, respond) ?? respond();
    },
  );
  const handler = await consoleHandler({
    api: { apiKey: fake.apiKey, baseUrl: `http://127.0.0.1:${api.addr.port}` },
    dist: DIST,
  });
  const serve = (port: number) =>
    Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, handler);
  let server: Deno.HttpServer<Deno.NetAddr> | undefined = serve(0);
  const { port } = server.addr;

  const args = [
    "--disable-lcd-text", // smaller screenshots
    ...(Deno.uid() === 0 ? ["--no-sandbox"] : []), // root has no sandbox
  ];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  const context = await browser.newContext({ locale: "en-US", ...browserOptions });
  const page = await context.newPage();
  const browserErrors: string[] = [];
  page.on("pageerror", (error) => browserErrors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") browserErrors.push(message.text());
  });

  const stopServer = async () => {
    const stopped = server;
    server = undefined;
    await stopped?.shutdown();
  };
  const opened: OpenedConsole = {
    page,
    fake,
    url: `http://127.0.0.1:${port}`,
    intercept: () => undefined,
    browserErrors,
    stopServer,
    startServer: () => {
      server = serve(port);
      return Promise.resolve();
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      apiEnd.abort();
      await api.finished;
      await stopServer();
    },
  };
  await beforeLoad?.(opened);
  await page.goto(opened.url + path);
  return opened;
}
