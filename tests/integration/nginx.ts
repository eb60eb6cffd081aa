import type { ServerProgram } from "./server_process.ts";

/** nginx in one process, without a user of its own. */
export const NGINX: Pick<ServerProgram, "command" | "args"> = {
  command: "nginx",
  args: ["-p", ".", "-e", "stderr", "-c", "configuration"],
};

/**
 * The configuration of an nginx that writes into its working directory only.
 *
 * @param http Directives of the `http` block.
 * @param server Directives of its only `server` block.
 */
export function nginxConfiguration(port: number, http: string, server: string): string {
  const temporaryPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${name};`);
  return `
    daemon off;
    master_process off;
    pid nginx.pid;
    events {}
    http {
      ${temporaryPaths.join("\n")}
      access_log off;
      ${http}
      server {
        listen 127.0.0.1:${port};
        ${server}
      }
    }
  `;
}
