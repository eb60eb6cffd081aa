import { TestBed } from "@angular/core/testing";
import { type Checkpoint, RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { firstValueFrom } from "rxjs";
import { describe, expect, it } from "vitest";
import { Downloads } from "./downloads";
import { type FileSink, OPEN_FILE_SINK } from "./file-sink";
import { REST_CLIENT } from "./rest-client";

/** Creates the service on a fake API, and lists a checkpoint. */
async function setUp(openFileSink: (name: string) => Promise<FileSink>) {
  const fake = new FakeHpcai();
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch, retry: false });
  TestBed.configureTestingModule({
    providers: [
      { provide: REST_CLIENT, useValue: client },
      { provide: OPEN_FILE_SINK, useValue: openFileSink },
    ],
  });
  const [runId = ""] = fake.trainingRunIds;
  const { checkpoints } = await firstValueFrom(client.listCheckpoints$(runId));
  const checkpoint = checkpoints[0] as Checkpoint; // the fake's first run has four
  return { fake, runId, checkpoint, downloads: TestBed.inject(Downloads) };
}

describe("Downloads", () => {
  it("saves the archive in a file that is named after the checkpoint", async () => {
    const saved: { name: string; body: Uint8Array | undefined }[] = [];
    const { fake, runId, checkpoint, downloads } = await setUp((name) =>
      Promise.resolve({ save: (body) => saved.push({ name, body }) })
    );
    downloads.start(checkpoint);
    await expect.poll(() => downloads.of(checkpoint)?.state).toBe("complete");
    const body = fake.archive(runId, checkpoint.checkpointId).slice();
    expect(saved).toEqual([{ name: "eb78693b_step_0010.tar.gz", body }]);
    expect(downloads.of(checkpoint)?.size).toBe(body.length);
    downloads.dismiss(checkpoint);
    expect(downloads.all()).toEqual([]);
  });

  it("aborts the file of a cancelled download", async () => {
    const aborted = Promise.withResolvers<void>();
    const writable = new WritableStream({ abort: () => aborted.resolve() });
    const { fake, checkpoint, downloads } = await setUp(() =>
      Promise.resolve({ writable, save: () => {} })
    );
    fake.faults.add({ type: "stall", afterBytes: 70_000 }, { on: "archive" });
    downloads.start(checkpoint);
    await expect.poll(() => downloads.of(checkpoint)?.progress).toBeDefined();
    expect(downloads.isRunning()).toBe(true);
    downloads.cancel(checkpoint);
    await aborted.promise;
    expect(downloads.of(checkpoint)?.state).toBe("cancelled");
    expect(downloads.isRunning()).toBe(false);
  });

  it("shows why a download failed, and restarts it", async () => {
    const { fake, checkpoint, downloads } = await setUp(() => Promise.resolve({ save: () => {} }));
    fake.faults.add({ type: "status", status: 403 }, { on: "archive" });
    downloads.start(checkpoint);
    await expect.poll(() => downloads.of(checkpoint)).toMatchObject({
      state: "failed",
      error: { status: 403 },
    });
    downloads.start(checkpoint);
    await expect.poll(() => downloads.of(checkpoint)?.state).toBe("complete");
  });

  it("starts no download when the user closes the file picker", async () => {
    const dismissal = Promise.reject(new DOMException("The user aborted it.", "AbortError"));
    const { fake, checkpoint, downloads } = await setUp(() => dismissal);
    const before = fake.requests.length;
    downloads.start(checkpoint);
    await new Promise((resolve) => setTimeout(resolve)); // after the rejection is handled
    expect(downloads.all()).toEqual([]);
    expect(fake.requests.length).toBe(before);
  });
});
