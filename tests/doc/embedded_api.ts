/**
 * Loaded before the examples in docstrings and in the README: `new RestClient()` in an example then uses
 * an embedded API, without a key or a network.
 */
import { FakeHpcai } from "@hpcai/rx/testing";

const fake = new FakeHpcai();
Deno.env.set("HPCAI_API_KEY", fake.apiKey);
globalThis.fetch = fake.fetch;
