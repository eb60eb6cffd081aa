import { RestClient } from "@hpcai/rx";
import { FakeHpcai, type Fault } from "@hpcai/rx/testing";
import { firstValueFrom, lastValueFrom } from "rxjs";
import { describe, expect, it } from "vitest";
import { type ErrorWords, errorWords } from "./error-words";

/** Describes the error of a listing with a fault. */
async function wordsFor(fault: Fault): Promise<ErrorWords> {
  const fake = new FakeHpcai();
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry: false });
  fake.faults.add(fault);
  const error = await lastValueFrom(client.listTrainingRuns$()).catch((error: unknown) => error);
  return errorWords(error);
}

describe("errorWords", () => {
  it.each<[Fault, string]>([
    [{ type: "connection-error" }, "The server can't be reached."],
    [{ type: "status", status: 401 }, "The API refused the key."],
    [{ type: "status", status: 403 }, "The key has no permission for this."],
    [{ type: "status", status: 404 }, "It does not exist."],
    [{ type: "status", status: 429 }, "Too many requests."],
    [{ type: "status", status: 503 }, "The API has a problem."],
    [{ type: "malformed-json" }, "The response is invalid."],
  ])("describes %o as: %s", async (fault, title) => {
    expect((await wordsFor(fault)).title).toBe(title);
  });

  it("contains the wait of the header Retry-After", async () => {
    const { advice } = await wordsFor({
      type: "status",
      status: 429,
      headers: { "Retry-After": "7" },
    });
    expect(advice).toBe("Wait 7 s, then try again.");
  });

  it("contains why an argument is invalid, without its name", async () => {
    const client = new RestClient({ baseUrl: "https://api.example", apiKey: "key" });
    const error = await lastValueFrom(client.getTrainingRunByCheckpointPath$("hpcai://")).catch(
      (error: unknown) => error,
    );
    expect(errorWords(error).advice).toMatch(
      /^It must be a checkpoint path, got "hpcai:\/\/".*\.$/,
    );
  });

  it("contains problem and advice of any other error of the client", async () => {
    const fake = new FakeHpcai();
    const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
    const path = `hpcai://${fake.trainingRunIds[0]}/weights/final`;
    const error = await firstValueFrom(client.readArchiveEntry$(path, "none")).catch(
      (error: unknown) => error,
    );
    expect(errorWords(error).advice)
      .toBe('The archive has no file "none". List its entries with archiveEntries$.');
  });

  it("contains the message of any other error", () => {
    expect(errorWords(new Error("out of cheese")).advice).toBe("out of cheese");
  });
});
