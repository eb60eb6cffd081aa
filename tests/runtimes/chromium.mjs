// Opens a page in Chromium and prints what it leaves in `globalThis.outcome`, which may be a promise:
// `chromium.mjs <executable> <URL>`.
import { createRequire } from "node:module";
import process from "node:process";

const { chromium } = createRequire(new URL("tools/", import.meta.url))("playwright-core");

const [executablePath, url] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath });
try {
  const page = await browser.newPage();
  page.on("pageerror", (error) => console.error(error));
  page.on("console", (message) => console.error(message.text(), message.location().url));
  await page.goto(url);
  const outcome = await page.evaluate(() => globalThis.outcome);
  if (outcome === undefined) throw new Error("The page left no outcome");
  console.log(JSON.stringify(outcome));
} finally {
  await browser.close();
}
