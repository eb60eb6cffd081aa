import { type CliHost, main } from "@hpcai/rx/cli";
import type { FakeHpcai } from "@hpcai/rx/testing";
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import { Readable, Writable } from "node:stream";
import { serve } from "../integration/loopback_server.ts";

/** The output and the exit code of a command. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A stream that stores its chunks. */
export class CapturedStream extends Writable {
  readonly isTTY: boolean;
  readonly #chunks: Uint8Array[];

  constructor(isTTY: boolean) {
    const chunks: Uint8Array[] = [];
    super({
      write: (chunk, _encoding, done) => {
        // The writer may reuse the chunk.
        chunks.push(new Uint8Array(chunk));
        done();
      },
    });
    this.isTTY = isTTY;
    this.#chunks = chunks;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#chunks));
  }

  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }
}

/** The streams, environment and signals of a process, in memory. `emit("SIGINT")` interrupts. */
export class CapturedHost extends EventEmitter implements CliHost {
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Readable = Readable.from([]);
  readonly stdout: CapturedStream;
  readonly stderr: CapturedStream;

  constructor(env: Readonly<Record<string, string>> = {}, { isTerminal = false } = {}) {
    super();
    this.env = env;
    this.stdout = new CapturedStream(isTerminal);
    this.stderr = new CapturedStream(isTerminal);
  }

  async run(...args: string[]): Promise<Outcome> {
    const code = await main(args, this);
    return { code, stdout: this.stdout.text, stderr: this.stderr.text };
  }
}

/** Makes the environment of a command that uses a fake API. */
export function environmentOf({ apiKey }: FakeHpcai, baseUrl: string): Record<string, string> {
  return { HPCAI_API_KEY: apiKey, HPCAI_BASE_URL: baseUrl };
}

/** Runs a command in this process against a fake API on a socket. */
export async function runCli(fake: FakeHpcai, ...args: string[]): Promise<Outcome> {
  await using server = serve(fake.handler);
  return await new CapturedHost(environmentOf(fake, server.url)).run(...args);
}
