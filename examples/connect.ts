import { RestClient } from "@hpcai/rx";
import { FakeHpcai, type FakeHpcaiOptions } from "@hpcai/rx/testing";

const hasKey = Boolean(Deno.env.get("HPCAI_API_KEY"));

/**
 * Connects to HPC-AI where the environment holds `HPCAI_API_KEY`, else to a fake of it inside this
 * process. With a key, Deno asks before it goes to another host than www.hpc-ai.com: one that
 * `HPCAI_BASE_URL` names, or a storage host that the service hands its archives out from.
 *
 * @param fakeOptions What the fake is like.
 */
export function connect(fakeOptions?: FakeHpcaiOptions): RestClient {
  if (hasKey) return new RestClient();
  const { apiKey, fetch } = new FakeHpcai(fakeOptions);
  return new RestClient({ apiKey, fetch });
}

/**
 * The default of an argument that names what to delete: there is one in the fake only. With a key
 * the program ends here, before it deletes what nobody named.
 *
 * @param id What the fake has.
 */
export function inFakeOnly(id: string): string {
  if (!hasKey) return id;
  console.error("HPCAI_API_KEY is set, so name what to delete at HPC-AI; nothing was deleted.");
  Deno.exit(2);
}
