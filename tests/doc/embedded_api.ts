/**
 * Loaded before the snippets of the README, so that a snippet can say `new RestClient()` as a user
 * would, and still run without a key or a network: the key is a fake API's, and so is `fetch`.
 */
import { FakeHpcai } from "@hpcai/rx/testing";

const fake = new FakeHpcai();
Deno.env.set("HPCAI_API_KEY", fake.apiKey);
globalThis.fetch = fake.fetch;
