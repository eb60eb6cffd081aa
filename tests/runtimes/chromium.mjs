// `chromium.mjs <executable> <URL>`: opens a page in Chromium and prints `globalThis.outcomes`, which
// can be a promise.
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
  const outcomes = await page.evaluate(() => globalThis.outcomes);
  if (outcomes === undefined) throw new Error("The page set no outcomes");
  console.log(JSON.stringify(outcomes));
} finally {
  await browser.close();
}
