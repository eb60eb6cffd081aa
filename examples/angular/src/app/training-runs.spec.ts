import { TestBed } from "@angular/core/testing";
import { RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { describe, expect, it } from "vitest";
import { REST_CLIENT } from "./rest-client";
import { TrainingRuns } from "./training-runs";

/** Creates the service on a fake API with 45 runs in pages of 20. */
function setUp() {
  const fake = new FakeHpcai({ trainingRuns: 45, maxPageSize: 20 });
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry: false });
  TestBed.configureTestingModule({ providers: [{ provide: REST_CLIENT, useValue: client }] });
  return { fake, runs: TestBed.inject(TrainingRuns) };
}

/** Waits for a state of the service. */
async function waitForState(runs: TrainingRuns, count: number, status = "complete"): Promise<void> {
  await expect.poll(() => {
    TestBed.tick();
    return { status: runs.status(), count: runs.matches().length };
  }).toEqual({ status, count });
}

describe("TrainingRuns", () => {
  it("lists all runs of all pages in the order of the server", async () => {
    const { fake, runs } = setUp();
    await waitForState(runs, 45);
    expect(runs.matches().map(({ trainingRunId }) => trainingRunId)).toEqual(fake.trainingRunIds);
  });

  it("keeps the received runs when a page fails, and lists all runs on reload", async () => {
    const { fake, runs } = setUp();
    const afterFirst = ({ url }: { url: string }) => !url.endsWith("offset=0");
    fake.faults.add({ type: "status", status: 500 }, { on: afterFirst, times: Infinity });
    await waitForState(runs, 20, "failed");
    fake.faults.clear();
    runs.reload();
    await waitForState(runs, 45);
    expect(runs.error()).toBeUndefined();
  });

  it("finds runs by a part of an id, in upper or lower case, without another request", async () => {
    const { fake, runs } = setUp();
    await waitForState(runs, 45);
    const requests = fake.requests.length;
    runs.query.set(` ${fake.trainingRunIds[7]?.slice(0, 13).toUpperCase()} `);
    await waitForState(runs, 1);
    expect(runs.matches()[0]?.trainingRunId).toBe(fake.trainingRunIds[7]);
    expect(fake.requests.length).toBe(requests);
  });

  it("requests the run of a checkpoint path", async () => {
    const { fake, runs } = setUp();
    fake.addTrainingRun({ trainingRunId: "other" });
    await waitForState(runs, 46);
    runs.query.set("hpcai://other/weights/final");
    await waitForState(runs, 1);
    expect(fake.requests.at(-1)?.operation).toBe("getTrainingRun");
    runs.query.set("hpcai://missing/weights/final");
    await waitForState(runs, 0, "failed");
    runs.query.set("");
    await waitForState(runs, 46);
  });

  it("filters by base model and state", async () => {
    const { runs } = setUp();
    await waitForState(runs, 45);
    const [baseModel = ""] = runs.baseModels();
    runs.baseModel.set(baseModel);
    runs.isCorruptedHidden.set(true);
    expect(runs.matches().length).toBeGreaterThan(0);
    for (const run of runs.matches()) {
      expect(run).toMatchObject({ baseModel, corrupted: false });
    }
  });
});
