import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";
import { type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { CHROMIUM } from "../../../tests/runtimes/tools.ts";
import { consoleHandler } from "../server.ts";

const DIST = new URL("../dist/browser/", import.meta.url);

/** Answers one of the API's requests in its own way, or leaves it to the fake. */
export type Interception = (
  request: Request,
  answer: () => Promise<Response>,
) => Promise<Response> | undefined;

/** The console in a browser, on its own server, before a fake of the API behind a socket. */
export interface OpenedConsole extends AsyncDisposable {
  readonly page: Page;
  readonly fake: FakeHpcai;
  /** Where the console is. */
  readonly url: string;
  /** What the API does other than the fake would; asked for each request. */
  intercept: Interception;
  /** Everything that the browser complained about. */
  readonly complaints: string[];
  /** Stops the console's server, the browser's connections too. */
  stopServer(): Promise<void>;
  /** Starts it again where it was. */
  startServer(): Promise<void>;
}

/** How the console is opened. */
export interface OpenOptions {
  /** Which page. Default: `/`. */
  readonly path?: string;
  /** What the API is like. */
  readonly fakeOptions?: FakeHpcaiOptions;
  /** What the browser is like. */
  readonly browserOptions?: BrowserContextOptions;
  /** Prepares the page before it loads. */
  readonly beforeLoad?: (opened: OpenedConsole) => unknown;
}

/** Opens the console in Chromium. */
export async function openConsole(
  { path = "/", fakeOptions, browserOptions, beforeLoad }: OpenOptions,
): Promise<OpenedConsole> {
  const fake = new FakeHpcai({ archiveResponse: "redirect", ...fakeOptions });
  // Ended by force, since a test that fails may leave a request without an answer.
  const apiEnd = new AbortController();
  const api = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, signal: apiEnd.signal },
    (request) => {
      const answer = () => fake.handler(request);
      return opened.intercept(request, answer) ?? answer();
    },
  );
  const handler = await consoleHandler({
    upstream: { apiKey: fake.apiKey, baseUrl: `http://127.0.0.1:${api.addr.port}` },
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
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
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
    complaints,
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
