/** An HTTP server that can be started as a process. */
export interface ServerProgram {
  /** The program, found through `PATH`. */
  readonly command: string;
  /** Arguments that keep it in the foreground and make it read the file `configuration`. */
  readonly args: readonly string[];
  /** The contents of the file `configuration` in its working directory. */
  configuration(port: number): string;
}

/** A process that listens on loopback; all its files are in a temporary directory. */
export interface ServerProcess extends AsyncDisposable {
  /** The origin at `127.0.0.1`. */
  readonly url: string;
  /** Its working directory. */
  readonly directory: string;
}

const START_LIMIT_MS = 10_000;
const POLLING_INTERVAL_MS = 20;

/** Whether a program is installed. */
export async function isInstalled(command: string): Promise<boolean> {
  try {
    // The exit code does not matter, since a missing program cannot start.
    await new Deno.Command(command, { args: ["-v"], stdin: "null" }).output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Starts a server on a free loopback port, and waits until it accepts connections. */
export async function startServerProcess(program: ServerProgram): Promise<ServerProcess> {
  const { command, args } = program;
  const directory = await Deno.makeTempDir();
  const port = freePort();
  await Deno.writeTextFile(`${directory}/configuration`, program.configuration(port));
  const process = new Deno.Command(command, {
    args: [...args],
    cwd: directory,
    env: { XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const log = process.stderr.text();
  const stop = async () => {
    try {
      process.kill("SIGTERM");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // The process has already ended.
    }
    await process.status;
    await Deno.remove(directory, { recursive: true });
    return await log;
  };
  if (!await waitUntilListening(port)) {
    throw new Error(`${command} did not start within ${START_LIMIT_MS} ms: ${await stop()}`);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    directory,
    [Symbol.asyncDispose]: async () => void await stop(),
  };
}

/** Waits until a server listens on a port; resolves to `false` after the time limit. */
async function waitUntilListening(port: number): Promise<boolean> {
  for (const endsAt = performance.now() + START_LIMIT_MS; performance.now() < endsAt;) {
    try {
      using _connection = await Deno.connect({ hostname: "127.0.0.1", port });
      return true;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLLING_INTERVAL_MS));
  }
  return false;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
