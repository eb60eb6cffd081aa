import { TestBed } from "@angular/core/testing";
import { RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { describe, expect, it } from "vitest";
// `deno task test:angular` takes it out of the README.
import { REST_CLIENT, Run } from "./readme-component";

/** What the component shows for a run. */
async function shownFor(runId: (fake: FakeHpcai) => string): Promise<string> {
  const fake = new FakeHpcai();
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
  TestBed.configureTestingModule({ providers: [{ provide: REST_CLIENT, useValue: client }] });
  const fixture = TestBed.createComponent(Run);
  fixture.componentRef.setInput("runId", runId(fake));
  await fixture.whenStable();
  return fixture.nativeElement.textContent;
}

describe("the README's component", () => {
  it("shows a run's base model", async () => {
    expect(await shownFor((fake) => fake.trainingRunIds[0] ?? "")).toBe("Qwen/Qwen3-8B");
  });

  it("says that there is no such run", async () => {
    expect(await shownFor(() => "none")).toBe("No such run");
  });
});
