import { TestBed } from "@angular/core/testing";
import { RestClient } from "@hpcai/rx";
import { FakeHpcai } from "@hpcai/rx/testing";
import { describe, expect, it } from "vitest";
// `deno task test:angular` extracts it from the README.
import { REST_CLIENT, Run } from "./readme-component";

/** Renders the component for a run and returns its text. */
async function render(runId: (fake: FakeHpcai) => string): Promise<string> {
  const fake = new FakeHpcai();
  const client = new RestClient({ apiKey: fake.apiKey, fetch: fake.fetch });
  TestBed.configureTestingModule({ providers: [{ provide: REST_CLIENT, useValue: client }] });
  const fixture = TestBed.createComponent(Run);
  fixture.componentRef.setInput("runId", runId(fake));
  await fixture.whenStable();
  return fixture.nativeElement.textContent;
}

describe("the README's component", () => {
  it("shows the base model of a run", async () => {
    expect(await render((fake) => fake.trainingRunIds[0] ?? "")).toBe("Qwen/Qwen3-8B");
  });

  it("reports a run that does not exist", async () => {
    expect(await render(() => "none")).toBe("No such run");
  });
});
