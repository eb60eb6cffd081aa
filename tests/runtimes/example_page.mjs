// `example_page.mjs <executable> <URL> <base URL of the API>`: tests examples/browser through its UI.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import process from "node:process";

const { chromium } = createRequire(new URL("tools/", import.meta.url))("playwright-core");

const [executablePath, url, apiUrl] = process.argv.slice(2);

const control = async (name, body = null) => {
  const request = { method: "POST", body: JSON.stringify(body) };
  return (await fetch(`${apiUrl}/control/${name}`, request)).json();
};
const facts = await control("facts");

/** The SHA-256 of the archive of the first row. */
async function expectedSha256() {
  const headers = { "X-API-Key": facts.apiKey };
  const runs = `${apiUrl}/api/v1/training_runs`;
  const { training_runs: [run] } = await (await fetch(runs, { headers })).json();
  const { checkpoint_id: id } = run.last_sampler_checkpoint ?? run.last_checkpoint;
  const archive = `${runs}/${run.training_run_id}/checkpoints/${id}/archive`;
  return sha256(new Uint8Array(await (await fetch(archive, { headers })).arrayBuffer()));
}
const expected = await expectedSha256();
const browser = await chromium.launch({ executablePath });

const CHECKS = {
  async "the page lists every run"(page) {
    await page.getByText(`${facts.trainingRunIds.length} runs`, { exact: true }).waitFor();
    equal(await page.locator("tbody tr").count(), facts.trainingRunIds.length);
  },

  async "Download starts a browser download"(page) {
    await page.evaluate(() => delete globalThis.showSaveFilePicker);
    const started = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download" }).first().click();
    const download = await started;
    equal(sha256(await readFile(await download.path())), expected);
    await page.getByText("Saved", { exact: true }).waitFor();
  },

  async "Download streams into the file from showSaveFilePicker"(page) {
    // A file of the page itself replaces the dialog.
    await page.evaluate(() => {
      globalThis.showSaveFilePicker = async () => {
        const directory = await navigator.storage.getDirectory();
        return directory.getFileHandle("picked", { create: true });
      };
    });
    await page.getByRole("button", { name: "Download" }).first().click();
    await page.getByText("Saved", { exact: true }).waitFor();
    const bytes = await page.evaluate(async () => {
      const directory = await navigator.storage.getDirectory();
      const file = await (await directory.getFileHandle("picked")).getFile();
      return [...new Uint8Array(await file.arrayBuffer())];
    });
    equal(sha256(Uint8Array.from(bytes)), expected);
  },

  async "Cancel disconnects from the API"(page) {
    await control("watch-disconnects");
    await control("fault", { type: "stall", afterBytes: 300_000, on: "archive" });
    await page.getByRole("button", { name: "Download" }).first().click();
    await page.getByText("MiB").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled", { exact: true }).waitFor();
    await control("disconnect");
  },

  async "the page shows the message of an error"(page) {
    await control("fault", {
      type: "status",
      status: 404,
      message: "The archive was deleted",
      on: "archive",
    });
    await page.getByRole("button", { name: "Download" }).first().click();
    await page.getByText("The archive was deleted").waitFor();
  },

  async "the key never reaches the browser"(page) {
    equal(requests.length > 0, true);
    equal(requests.some((request) => request.includes(facts.apiKey)), false);
    equal((await page.content()).includes(facts.apiKey), false);
  },
};

/** The URL and headers of every request of the page. */
const requests = [];

function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

function equal(actual, expected) {
  if (!Object.is(actual, expected)) throw new Error(`expected ${expected}, got ${actual}`);
}

try {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  page.on("request", (request) => {
    requests.push(JSON.stringify([request.url(), request.headers()]));
  });
  await page.goto(url);
  const outcomes = {};
  for (const [name, check] of Object.entries(CHECKS)) {
    outcomes[name] = await check(page).then(() => "ok", (error) => `FAIL ${error?.stack ?? error}`);
  }
  console.log(JSON.stringify(outcomes));
} finally {
  await browser.close();
}
