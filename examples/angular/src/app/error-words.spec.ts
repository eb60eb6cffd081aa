import { RestClient } from "@hpcai/rx";
import { FakeHpcai, type Fault } from "@hpcai/rx/testing";
import { lastValueFrom } from "rxjs";
import { describe, expect, it } from "vitest";
import { errorWords } from "./error-words";

/** What the user reads when the API fails in that way. */
async function wordsAfter(fault: Fault): Promise<string> {
  const fake = new FakeHpcai();
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry: false });
  fake.faults.add(fault);
  const error = await lastValueFrom(client.listTrainingRuns$()).catch((error: unknown) => error);
  return errorWords(error).title;
}

describe("errorWords", () => {
  it.each<[Fault, string]>([
    [{ type: "connection-error" }, "The server can't be reached."],
    [{ type: "status", status: 401 }, "The API refused the key."],
    [{ type: "status", status: 403 }, "The key may not do this."],
    [{ type: "status", status: 404 }, "There is no such thing."],
    [{ type: "status", status: 429 }, "Too many requests."],
    [{ type: "status", status: 503 }, "The API has a problem."],
    [{ type: "malformed-json" }, "The answer makes no sense."],
  ])("after %o says: %s", async (fault, title) => {
    expect(await wordsAfter(fault)).toBe(title);
  });

  it("passes on what is wrong with an argument", async () => {
    const client = new RestClient({ baseUrl: "https://api.example", apiKey: "key" });
    const error = await lastValueFrom(client.getTrainingRunByCheckpointPath$("hpcai://")).catch(
      (error: unknown) => error,
    );
    expect(errorWords(error).advice).toContain("hpcai://");
  });

  it("passes on the words of an error that it does not know", () => {
    expect(errorWords(new Error("out of cheese")).advice).toBe("out of cheese");
  });
});
