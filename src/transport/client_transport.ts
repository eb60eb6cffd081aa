import { InvalidArgumentError } from "../errors.ts";
import type { Transport } from "./transport.ts";

const transports = new WeakMap<object, Transport>();

/** Registers the transport of a client for the other entries of this package. */
export function setTransport(client: object, transport: Transport): void {
  transports.set(client, transport);
}

/**
 * The transport of a client.
 *
 * @throws {InvalidArgumentError} if it is not a `RestClient` of this copy of the package.
 */
export function transportOf(client: object): Transport {
  const transport = transports.get(client);
  if (transport !== undefined) return transport;
  throw new InvalidArgumentError("client", "must be a RestClient of this copy of @hpcai/rx", {
    advice: "Install one version of @hpcai/rx, and make the client with its RestClient.",
  });
}
