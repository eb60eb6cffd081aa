/**
 * HTTP servers as they stand in front of APIs and object stores, each with compression on for the
 * media type of archives. All their files are in a temporary directory, and they listen on loopback.
 */

/** A server that passes requests on to another one. */
export interface Front {
  readonly name: string;
  /** The program, which stays in the foreground. */
  readonly program: string;
  /** The Debian package that has it. */
  readonly debianPackage: string;
  readonly args: readonly string[];
  /** The configuration, in the file `configuration` of the directory that it is started in. */
  configuration(port: number, originPort: number): string;
}

export interface RunningFront extends AsyncDisposable {
  /** Where it is. */
  readonly url: string;
}

export const FRONTS: readonly Front[] = [
  {
    name: "nginx",
    program: "nginx",
    debianPackage: "nginx-light",
    args: ["-p", ".", "-e", "stderr", "-c", "configuration"],
    configuration: (port, originPort) => `
      daemon off;
      master_process off;
      pid nginx.pid;
      events {}
      http {
        ${
      ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map((name) => `${name}_temp_path ${name};`).join("\n")
    }
        access_log off;
        gzip on;
        gzip_types *;
        gzip_proxied any;
        server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass http://127.0.0.1:${originPort};
            proxy_http_version 1.1;
          }
        }
      }
    `,
  },
  {
    name: "Caddy",
    program: "caddy",
    debianPackage: "caddy",
    args: ["run", "--config", "configuration", "--adapter", "caddyfile"],
    configuration: (port, originPort) => `
      {
        admin off
        auto_https off
      }
      http://:${port} {
        bind 127.0.0.1
        encode {
          gzip
          match {
            header Content-Type application/gzip*
          }
        }
        reverse_proxy 127.0.0.1:${originPort}
      }
    `,
  },
  {
    name: "HAProxy",
    program: "haproxy",
    debianPackage: "haproxy",
    args: ["-db", "-f", "configuration"],
    configuration: (port, originPort) => `
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port}
  compression algo gzip
  compression type application/gzip
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort}
`,
  },
  {
    name: "Apache",
    program: "apache2",
    debianPackage: "apache2",
    args: ["-d", ".", "-f", "configuration", "-D", "FOREGROUND"],
    configuration: (port, originPort) => `
      ${
      ["mpm_event", "authz_core", "filter", "deflate", "proxy", "proxy_http"]
        .map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`)
        .join("\n")
    }
      ServerName 127.0.0.1
      Listen 127.0.0.1:${port}
      DefaultRuntimeDir .
      PidFile apache.pid
      ErrorLog /dev/stderr
      User www-data
      Group www-data
      SetOutputFilter DEFLATE
      ProxyPass / http://127.0.0.1:${originPort}/
    `,
  },
];

const START_LIMIT_MS = 10_000;
const POLLING_INTERVAL_MS = 50;

export async function isInstalled({ program }: Front): Promise<boolean> {
  const { success } = await new Deno.Command("sh", { args: ["-c", `command -v ${program}`] })
    .output();
  return success;
}

/** Starts a front for a server on loopback, and waits until it takes connections. */
export async function startFront(front: Front, originPort: number): Promise<RunningFront> {
  const directory = await Deno.makeTempDir();
  const port = freePort();
  const configuration = front.configuration(port, originPort);
  await Deno.writeTextFile(`${directory}/configuration`, configuration);
  const process = new Deno.Command(front.program, {
    args: [...front.args],
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
      if (!(error instanceof TypeError)) throw error; // It has ended by itself.
    }
    await process.status;
    await Deno.remove(directory, { recursive: true });
    return await log;
  };
  if (!await takesConnections(port)) {
    throw new Error(`${front.name} has not started: ${await stop()}`);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => void await stop(),
  };
}

async function takesConnections(port: number): Promise<boolean> {
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
