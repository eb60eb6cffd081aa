/**
 * Tests the built console in Chromium, on its own server and a fake API that redirects archives to a
 * storage on another origin.
 */
import { AxeBuilder } from "@axe-core/playwright";
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { setTimeout as sleep } from "node:timers/promises";
import type { Locator, Page } from "playwright-core";
import { openConsole, type OpenedConsole, type OpenOptions } from "./open_console.ts";

/** The first run of the fake, which has these checkpoints. */
const RUN_ID = "eb78693b-380d-40f8-a709-ffe0da185718";
const RUN_PATH = `/runs/${RUN_ID}`;
const CHECKPOINTS = ["final", "step_0020", "step_0010-sampler", "step_0010"];

const TIME_LIMIT_MS = 60_000;

/** The delay between two bytes of a slow archive. */
const TRICKLE_MS = 20;

/** The progress of a slow archive in the console. */
const HALF_OF_ARCHIVE = /^524 kB of 1\.05 MB · .+\/s · .+ left$/;

/** Opens the console, and checks afterwards that the browser reported no error. */
function consoleTest(
  name: string,
  { expectedError, ...options }: OpenOptions & { readonly expectedError?: RegExp },
  run: (opened: OpenedConsole) => Promise<void>,
): void {
  Deno.test(name, async () => {
    await using opened = await openConsole(options);
    await withinTimeLimit(run(opened));
    assertEquals(opened.browserErrors.filter((text) => !expectedError?.test(text)), []);
  });
}

/** Fails after the time limit, so that no test hangs. */
async function withinTimeLimit(test: Promise<void>): Promise<void> {
  const limit = Promise.withResolvers<never>();
  const timer = setTimeout(() => limit.reject(new Error("Too slow")), TIME_LIMIT_MS);
  try {
    await Promise.race([test, limit.promise]);
  } finally {
    clearTimeout(timer);
  }
}

const runsTable = (page: Page): Locator => page.getByRole("table", { name: /^Training runs/ });
const runRows = (page: Page): Locator => runsTable(page).locator("tbody tr");
const checkpointsTable = (page: Page): Locator => page.getByRole("table", { name: /^Checkpoints/ });
const checkpointNames = (page: Page): Promise<string[]> =>
  checkpointsTable(page).locator("tbody .name").allTextContents();
const focused = (page: Page): Locator => page.locator(":focus");
const button = (page: Page, name: string): Locator =>
  page.getByRole("button", { name, exact: true });

/** Waits for a number of elements. */
async function waitForCount(locator: Locator, count: number): Promise<void> {
  await locator.nth(count).waitFor({ state: "detached" });
  if (count > 0) await locator.nth(count - 1).waitFor();
}

/** A browser without a file picker, such as Firefox. */
const withoutFilePicker = ({ page }: OpenedConsole): Promise<unknown> =>
  page.addInitScript("delete globalThis.showSaveFilePicker");

/** Replaces the file picker by a file in the browser's private file system. */
const withPickedFile = ({ page }: OpenedConsole): Promise<unknown> =>
  page.addInitScript(`globalThis.showSaveFilePicker = async ({ suggestedName }) => {
    const directory = await navigator.storage.getDirectory();
    return directory.getFileHandle(suggestedName, { create: true });
  }`);

/** The bytes of a file in the browser's private file system. */
async function pickedFile(page: Page, name: string): Promise<Uint8Array> {
  const dataUrl: string = await page.evaluate(`(async () => {
    const directory = await navigator.storage.getDirectory();
    const reader = new FileReader();
    reader.readAsDataURL(await (await directory.getFileHandle("${name}")).getFile());
    await new Promise((resolve) => reader.onload = resolve);
    return reader.result;
  })()`);
  return (await fetch(dataUrl)).bytes();
}

/** Waits until the browser's private file system is empty. */
async function waitForNoPickedFile(page: Page): Promise<void> {
  await page.evaluate(`(async () => {
    const directory = await navigator.storage.getDirectory();
    while (!(await directory.keys().next()).done) await new Promise(requestAnimationFrame);
  })()`);
}

/** Sends the first half of an archive, then a byte at a time until the test ends it. */
function slowArchives(opened: OpenedConsole) {
  const cancelled = Promise.withResolvers<void>();
  let end: "rest" | "error" | undefined;
  opened.intercept = ({ url, headers }, respond) => {
    const isStorage = new URL(url).hostname === "localhost";
    if (!isStorage || headers.has("Range")) return undefined;
    return respond().then(async (response) => {
      const bytes = await response.bytes();
      let sent = 0;
      const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
        async pull(controller) {
          if (sent > 0) await sleep(TRICKLE_MS);
          if (end === "error") {
            return controller.error(new Error("The storage lost the connection"));
          }
          const from = sent;
          sent = end === "rest" ? bytes.length : Math.max(from + 1, bytes.length / 2);
          controller.enqueue(bytes.subarray(from, sent));
          if (sent === bytes.length) controller.close();
        },
        cancel: () => cancelled.resolve(),
      });
      return new Response(body, response);
    });
  };
  return {
    sendRest: () => end = "rest",
    loseConnection: () => end = "error",
    cancelled: cancelled.promise,
  };
}

async function assertAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  assertEquals(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
}

const otherPages = Promise.withResolvers<void>();
consoleTest("the table shows each page as soon as it is received", {
  fakeOptions: { trainingRuns: 60, maxPageSize: 20 },
  beforeLoad(opened) {
    opened.intercept = ({ url }, respond) =>
      url.endsWith("offset=0") ? undefined : otherPages.promise.then(respond);
  },
}, async ({ page }) => {
  await waitForCount(runRows(page), 20);
  await page.getByText("20 runs so far…").waitFor();
  otherPages.resolve();
  await page.getByText("60 runs", { exact: true }).waitFor();
  assertEquals(await runRows(page).count(), 60);
});

consoleTest("search and filters limit the table, and can be cleared", {}, async (opened) => {
  const { page } = opened;
  await waitForCount(runRows(page), 24);
  const search = page.getByRole("searchbox", { name: "Search" });
  await search.pressSequentially(RUN_ID.slice(0, 8));
  await page.getByText("1 of 24 runs").waitFor();
  await page.getByRole("link", { name: RUN_ID }).waitFor();

  await search.fill("");
  await page.getByLabel("Base model").selectOption("Qwen/Qwen3-32B");
  await runRows(page).first().waitFor();
  const models = await runRows(page).locator("td.model").allTextContents();
  assertEquals(new Set(models), new Set(["Qwen/Qwen3-32B"]));

  await search.fill("no such run");
  await page.getByText("No run matches.").waitFor();
  await button(page, "Clear search and filters").click();
  await waitForCount(runRows(page), 24);
});

consoleTest(
  "a checkpoint path finds its run, and a newer search aborts the request",
  {},
  async (opened) => {
    const { page } = opened;
    await waitForCount(runRows(page), 24);
    const requested = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    opened.intercept = ({ url, signal }, respond) => {
      if (!url.endsWith("/slow")) return undefined;
      signal.addEventListener("abort", () => aborted.resolve());
      requested.resolve();
      return aborted.promise.then(respond);
    };
    const search = page.getByRole("searchbox", { name: "Search" });
    await search.fill("hpcai://slow/weights/final");
    await requested.promise;
    await search.fill(`hpcai://${RUN_ID}/weights/final`);
    await aborted.promise;
    await page.getByText("1 run", { exact: true }).waitFor();
    await page.getByRole("link", { name: RUN_ID }).waitFor();
  },
);

consoleTest("an added checkpoint appears after the next poll", {
  path: RUN_PATH,
  beforeLoad: ({ page }) => page.clock.install(),
}, async ({ page, fake }) => {
  await waitForCount(checkpointsTable(page).locator("tbody tr"), 4);
  assertEquals(await checkpointNames(page), CHECKPOINTS);
  fake.addCheckpoint(RUN_ID, { checkpointId: "step_0030" });
  await page.clock.runFor(5_000);
  await page.getByRole("status").filter({ hasText: "New checkpoint: step_0030" }).waitFor();
  assertEquals(await checkpointNames(page), ["step_0030", ...CHECKPOINTS]);
});

consoleTest("a run without checkpoints shows a note, then its first checkpoint", {
  path: "/runs/new-run",
  async beforeLoad({ page, fake }) {
    fake.addTrainingRun({ trainingRunId: "new-run" });
    await page.clock.install();
  },
}, async ({ page, fake }) => {
  await page.getByText("No checkpoints yet.").waitFor();
  fake.addCheckpoint("new-run", { checkpointId: "step_0001" });
  await page.clock.runFor(5_000);
  await checkpointsTable(page).getByText("step_0001").waitFor();
});

consoleTest("a download is streamed into the file of the user", {
  path: RUN_PATH,
  beforeLoad: withPickedFile,
}, async (opened) => {
  const { page, fake } = opened;
  const { sendRest } = slowArchives(opened);
  await button(page, "Download final").click();
  await page.getByText(HALF_OF_ARCHIVE).waitFor();
  assert(Number(await page.getByRole("progressbar").getAttribute("value")) >= 524_288);
  sendRest();
  await page.getByText("Saved, 1.05 MB").waitFor();

  const saved = await pickedFile(page, "eb78693b_final.tar.gz");
  assertEquals(saved, fake.archive(RUN_ID, "final").slice());
});

consoleTest("a browser without a file picker saves the download at its end", {
  path: RUN_PATH,
  beforeLoad: withoutFilePicker,
}, async ({ page, fake }) => {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    button(page, "Download step_0010-sampler").click(),
  ]);
  assertEquals(download.suggestedFilename(), "eb78693b_step_0010-sampler.tar.gz");
  const bytes = await Deno.readFile(await download.path());
  assertEquals(bytes, fake.archive(RUN_ID, "step_0010-sampler").slice());
  await page.getByText("Saved, 1.05 MB").waitFor();
});

consoleTest("a cancelled download aborts the response of the storage and leaves no file", {
  path: RUN_PATH,
  beforeLoad: withPickedFile,
}, async (opened) => {
  const { page } = opened;
  const { cancelled } = slowArchives(opened);
  await button(page, "Download final").click();
  await page.getByText(HALF_OF_ARCHIVE).waitFor();
  await button(page, "Cancel eb78693b_final.tar.gz").click();
  await cancelled;
  await page.getByText("Cancelled", { exact: true }).waitFor();
  await waitForNoPickedFile(page);
});

consoleTest("an interrupted download resumes", {
  path: RUN_PATH,
  beforeLoad: withoutFilePicker,
  expectedError: /ERR_CONTENT_LENGTH_MISMATCH/,
}, async (opened) => {
  const { page, fake } = opened;
  const { loseConnection } = slowArchives(opened);
  const downloading = page.waitForEvent("download");
  await button(page, "Download final").click();
  await page.getByText(HALF_OF_ARCHIVE).waitFor();
  loseConnection();
  const bytes = await Deno.readFile(await (await downloading).path());
  assertEquals(bytes, fake.archive(RUN_ID, "final").slice());
  const [first, second] = fake.requests.filter(({ operation }) => operation === "storage");
  assertEquals(first?.headers.get("Range"), null);
  assertMatch(second?.headers.get("Range") ?? "", /^bytes=524\d{3}-$/);
});

consoleTest(
  "a checkpoint is deleted after a confirmation only",
  { path: RUN_PATH },
  async (opened) => {
    const { page, fake } = opened;
    const remaining = () => fake.checkpoints(RUN_ID).map(({ checkpointId }) => checkpointId);
    const dialog = page.getByRole("dialog", { name: "Delete step_0020?" });
    await button(page, "Delete step_0020").click();
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    assert(remaining().includes("step_0020"));

    // The row disappears at once instead of after the next poll.
    opened.intercept = ({ url }) =>
      url.endsWith("/checkpoints") ? new Promise(() => {}) : undefined;
    await button(page, "Delete step_0020").click();
    await button(page, "Delete").click();
    await dialog.waitFor({ state: "hidden" });
    await waitForCount(checkpointsTable(page).locator("tbody tr"), 3);
    await page.getByRole("status").filter({ hasText: "Deleted: step_0020" }).waitFor();
    assertEquals(remaining(), ["step_0010", "step_0010-sampler", "final"]);
    assertEquals(await focused(page).getAttribute("id"), "run-heading");
  },
);

consoleTest("a refused deletion shows the reason and can be retried", {
  path: RUN_PATH,
  expectedError: /status of 403/,
}, async ({ page, fake }) => {
  fake.faults.add({ type: "status", status: 403 }, { on: "deleteCheckpoint" });
  await button(page, "Delete final").click();
  await button(page, "Delete").click();
  await page.getByRole("alert").getByText("The key has no permission for this.").waitFor();
  await button(page, "Try again").click();
  await waitForCount(checkpointsTable(page).locator("tbody tr"), 3);
});

consoleTest("a lost server is reported, and a button retries the listing", {
  expectedError: /ERR_CONNECTION_REFUSED/,
}, async ({ page, stopServer, startServer }) => {
  await waitForCount(runRows(page), 24);
  await stopServer();
  await button(page, "Refresh").click();
  await page.getByRole("alert").getByText("The server can't be reached.").waitFor();
  await page.getByRole("status").getByText("Offline").waitFor();
  await startServer();
  await button(page, "Try again").click();
  await waitForCount(runRows(page), 24);
  await page.getByRole("status").getByText("Connected").waitFor();
});

consoleTest("a run stays on screen while its watch cannot reach the server", {
  path: RUN_PATH,
  expectedError: /ERR_CONNECTION_REFUSED/,
}, async ({ page, fake, stopServer, startServer }) => {
  await waitForCount(checkpointsTable(page).locator("tbody tr"), 4);
  await stopServer();
  await page.getByRole("alert").getByText("The server can't be reached.").waitFor();
  assertEquals(await checkpointNames(page), CHECKPOINTS);
  fake.addCheckpoint(RUN_ID, { checkpointId: "step_0040" });
  await startServer();
  await page.getByRole("article").getByRole("button", { name: "Try again" }).click();
  await checkpointsTable(page).getByText("step_0040").waitFor();
  assertEquals(await page.getByRole("alert").count(), 0);
});

consoleTest("a run that does not exist is reported once", {
  path: "/runs/no-such-run",
  expectedError: /status of 404/,
}, async ({ page }) => {
  await page.getByRole("alert").getByText("It does not exist.").waitFor();
  assertEquals(await page.getByRole("alert").count(), 1);
});

consoleTest("a run can be opened and closed with the keyboard", {}, async ({ page }) => {
  await waitForCount(runRows(page), 24);
  const link = page.getByRole("link", { name: RUN_ID });
  await link.focus();
  await page.keyboard.press("Enter");
  await checkpointsTable(page).waitFor();
  assertEquals(await focused(page).getAttribute("id"), "run-heading");
  assertEquals(await link.getAttribute("aria-current"), "true");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("Choose a run").waitFor();
  assertEquals(await focused(page).textContent(), RUN_ID);
});

consoleTest("the key is sent to the API only, neither to the browser nor to the storage", {
  path: RUN_PATH,
  beforeLoad: withoutFilePicker,
}, async ({ page, fake }) => {
  const sentByBrowser: string[] = [];
  page.on("request", (request) => sentByBrowser.push(JSON.stringify(request.headers())));
  const responses: Promise<string>[] = [];
  page.on("response", (response) => responses.push(response.text().catch(() => "")));
  await page.reload();
  await Promise.all([page.waitForEvent("download"), button(page, "Download final").click()]);
  const texts = [...sentByBrowser, ...await Promise.all(responses)];
  assertNotEquals(texts, []);
  assertEquals(texts.filter((text) => text.includes(fake.apiKey)), []);
  for (const { operation, headers } of fake.requests) {
    assertEquals(headers.get("X-API-Key"), operation === "storage" ? null : fake.apiKey);
  }
});

consoleTest("another site cannot use the key of the console", {}, async ({ page, url, fake }) => {
  await waitForCount(runRows(page), 24);
  const before = fake.requests.length;
  assertEquals(await statusFor(url, "Sec-Fetch-Site: cross-site"), 403);
  assertEquals(await statusFor(url, "Sec-Fetch-Site: same-site"), 403);
  assertEquals(await statusFor(url, "Host: rebound.example"), 403);
  assertEquals(fake.requests.length, before);
  assertEquals(await statusFor(url, "Sec-Fetch-Site: same-origin"), 200);
});

/** The status of a listing with a header that `fetch` cannot set. */
async function statusFor(url: string, header: string): Promise<number> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const host = header.startsWith("Host:") ? [] : [`Host: ${hostname}`];
  const lines = ["GET /hpcai/api/v1/training_runs HTTP/1.1", header, ...host, "Connection: close"];
  await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  const response = await new Response(connection.readable).text();
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(response)?.[1]);
}

for (const colorScheme of ["light", "dark"] as const) {
  consoleTest(`axe finds no violation in the ${colorScheme} colors`, {
    browserOptions: { colorScheme, viewport: { width: 1280, height: 800 } },
    beforeLoad: withoutFilePicker,
    expectedError: /ERR_CONNECTION_REFUSED/,
  }, async (opened) => {
    const { page, stopServer } = opened;
    await waitForCount(runRows(page), 24);
    await assertAccessible(page);
    await page.getByRole("link", { name: RUN_ID }).click();
    await checkpointsTable(page).waitFor();
    const { cancelled } = slowArchives(opened);
    await button(page, "Download final").click();
    await page.getByText(HALF_OF_ARCHIVE).waitFor();
    await assertAccessible(page);
    await button(page, "Delete final").click();
    await page.getByRole("dialog").waitFor();
    await assertAccessible(page);
    await page.keyboard.press("Escape");
    await button(page, "Cancel eb78693b_final.tar.gz").click();
    await cancelled;
    await stopServer();
    await page.getByRole("alert").waitFor();
    await assertAccessible(page);
    await page.setViewportSize({ width: 390, height: 800 });
    await assertAccessible(page);
  });
}

/** The picture of the README: the console with a running download. */
for (const colorScheme of ["light", "dark"] as const) {
  consoleTest(`the README's picture can be taken in the ${colorScheme} colors`, {
    fakeOptions: { trainingRuns: 240, archiveBytes: 64 * 1024 ** 2 },
    browserOptions: { colorScheme, viewport: { width: 1280, height: 720 }, timezoneId: "UTC" },
    beforeLoad: withoutFilePicker,
  }, async (opened) => {
    const { page, fake } = opened;
    const [runId = ""] = fake.trainingRunIds;
    fake.addCheckpoint(runId, { checkpointId: "step_0030" });
    await page.getByText("240 runs").waitFor();
    await page.getByRole("link", { name: runId }).click();
    const { cancelled } = slowArchives(opened);
    await button(page, "Download step_0030").click();
    await page.getByText(/^33\.6 MB of 67\.1 MB/).waitFor();
    const png = await page.screenshot({ animations: "disabled" });
    if (Deno.args.includes("--screenshots")) {
      await Deno.writeFile(new URL(`../screenshots/${colorScheme}.png`, import.meta.url), png);
    }
    await button(page, "Cancel eb78693b_step_0030.tar.gz").click();
    await cancelled;
  });
}
