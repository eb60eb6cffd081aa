/** Reverse proxies that compress archives. All their files are in a temporary directory. */
import { NGINX, nginxConfiguration } from "../integration/nginx.ts";
import type { ServerProgram } from "../integration/server_process.ts";

/** A reverse proxy. */
export interface ReverseProxy {
  readonly name: string;
  /** The Debian package that contains it. */
  readonly debianPackage: string;
  /** The program as a proxy for the server at `originPort` on loopback. */
  program(originPort: number): ServerProgram;
}

export const REVERSE_PROXIES: readonly ReverseProxy[] = [
  {
    name: "nginx",
    debianPackage: "nginx-light",
    program: (originPort) => ({
      ...NGINX,
      configuration: (port) =>
        nginxConfiguration(
          port,
          "gzip on; gzip_types *; gzip_proxied any;",
          `location / {
            proxy_pass http://127.0.0.1:${originPort};
            proxy_http_version 1.1;
          }`,
        ),
    }),
  },
  {
    name: "Caddy",
    debianPackage: "caddy",
    program: (originPort) => ({
      command: "caddy",
      args: ["run", "--config", "configuration", "--adapter", "caddyfile"],
      configuration: (port) => `
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
    }),
  },
  {
    name: "HAProxy",
    debianPackage: "haproxy",
    program: (originPort) => ({
      command: "haproxy",
      args: ["-db", "-f", "configuration"],
      configuration: (port) => `
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
    }),
  },
  {
    name: "Apache",
    debianPackage: "apache2",
    program: (originPort) => ({
      command: "apache2",
      args: ["-d", ".", "-f", "configuration", "-D", "FOREGROUND"],
      configuration: (port) => `
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
    }),
  },
];
