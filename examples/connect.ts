import { RestClient } from "@hpcai/rx";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";

const hasService = ["HPCAI_API_KEY", "HPCAI_BASE_URL"].some((name) => Deno.env.get(name));

/**
 * Connects to the service that the environment names with `HPCAI_API_KEY` and `HPCAI_BASE_URL`, or to
 * an API that is embedded in this process.
 *
 * @param fakeOptions The options of the embedded API.
 */
export function connect(fakeOptions?: FakeHpcaiOptions): RestClient {
  if (hasService) return new RestClient();
  const { apiKey, fetch } = new FakeHpcai(fakeOptions);
  return new RestClient({ apiKey, fetch });
}

/**
 * Returns the default of an argument that names what to delete. Only the embedded API has one: with a
 * service, the program ends here.
 */
export function embeddedDefault(id: string): string {
  if (!hasService) return id;
  console.error("Nothing was deleted. Pass what to delete as arguments.");
  Deno.exit(2);
}
