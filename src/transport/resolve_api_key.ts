import { type ClientSettings, toApiKey } from "../client_settings.ts";
import { InvalidArgumentError } from "../errors.ts";
import { deepestReason } from "./connection_error.ts";
import { redactor } from "./redact.ts";

/**
 * Calls the function that returns the key.
 *
 * @throws {InvalidArgumentError} if it fails, or its result is not a valid key.
 */
export async function resolveApiKey(
  apiKey: () => string | Promise<string>,
  { headers }: Pick<ClientSettings, "headers">,
): Promise<string> {
  try {
    return toApiKey(await apiKey());
  } catch (cause) {
    if (cause instanceof InvalidArgumentError) throw cause;
    const reason = redactor(undefined, headers).redact(deepestReason(cause));
    throw new InvalidArgumentError("apiKey", `is a function that failed: ${reason}`, { cause });
  }
}
