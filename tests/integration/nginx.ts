/** An nginx that this process has started. */
export interface Nginx extends AsyncDisposable {
  /** Where it is. */
  readonly url: string;
  /** The directory that it serves. */
  readonly root: string;
}

/** Whether there is an nginx to start. */
export async function hasNginx(): Promise<boolean> {
  try {
    return (await new Deno.Command("nginx", { args: ["-v"] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Starts an nginx on a free loopback port, all of whose files are in a temporary directory.
 *
 * @param locations What stands in its `server` block, beside `root`.
 */
export async function startNginx(locations: string): Promise<Nginx> {
  const prefix = await Deno.makeTempDir();
  const root = `${prefix}/root`;
  await Deno.mkdir(root);
  const port = freePort();
  await Deno.writeTextFile(`${prefix}/nginx.conf`, configuration(port, root, locations));
  const process = new Deno.Command("nginx", {
    args: ["-p", prefix, "-e", "stderr", "-c", `${prefix}/nginx.conf`],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const log = process.stderr.pipeThrough(new TextDecoderStream());
  const { drained } = await started(log.getReader());
  return {
    url: `http://127.0.0.1:${port}`,
    root,
    async [Symbol.asyncDispose]() {
      process.kill("SIGTERM");
      await Promise.all([process.status, drained]);
      await Deno.remove(prefix, { recursive: true });
    },
  };
}

/** In one process, in the foreground, without a user of its own, and with no file elsewhere. */
function configuration(port: number, root: string, locations: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${name};`);
  return `
    daemon off;
    master_process off;
    pid nginx.pid;
    error_log stderr notice;
    events {}
    http {
      ${temporary.join("\n")}
      access_log off;
      default_type application/gzip;
      server {
        listen 127.0.0.1:${port};
        root ${root};
        ${locations}
      }
    }
  `;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Waits for the line that nginx logs once it listens, and gives what reads the rest of the log. */
async function started(
  log: ReadableStreamDefaultReader<string>,
): Promise<{ drained: Promise<void> }> {
  let text = "";
  while (!/using the "\w+" event method/.test(text)) {
    const { done, value } = await log.read();
    if (done) throw new Error(`nginx has not started: ${text}`);
    text += value;
  }
  const drained = (async () => {
    while (!(await log.read()).done);
  })();
  return { drained };
}
