import { assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { firstValueFrom } from "rxjs";
import { ApiConnectionError, type ConnectionObstacle } from "../../src/errors.ts";
import { RestClient } from "../../src/rest_client.ts";
import { connectionObstacle } from "../../src/transport/connection_obstacle.ts";

/**
 * certificates/ has one P-256 key, and of it: `authority.pem`, which signed `valid.pem`, `expired.pem`
 * (since February 2020) and `other_name.pem` (other.example), and `self_signed.pem`. All but one are
 * for localhost and last until 2120 at least.
 */
const certificate = (name: string) =>
  Deno.readTextFile(new URL(`./certificates/${name}.pem`, import.meta.url));

/** Lists runs of a server with a certificate, and returns the outcome and the number of attempts. */
async function outcomeOf(name: string) {
  const page = { training_runs: [], cursor: { offset: 0, limit: 20, total_count: 0 } };
  await using server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: await certificate(name),
    key: await certificate("key"),
    onListen() {},
  }, () => Response.json(page));
  using client = Deno.createHttpClient({ caCerts: [await certificate("authority")] });
  let attempts = 0;
  const rest = new RestClient({
    apiKey: "sk-secret",
    baseUrl: `https://localhost:${server.addr.port}`,
    fetch: (input, init) => {
      attempts++;
      return fetch(input, { ...init, client });
    },
  });
  const outcome = await firstValueFrom(rest.listTrainingRuns$()).then(() => "ok", (error) => error);
  return { attempts, outcome };
}

Deno.test("RestClient connects to a server with a valid certificate", async () => {
  assertEquals(await outcomeOf("valid"), { attempts: 1, outcome: "ok" });
});

for (const name of ["self_signed", "expired", "other_name"]) {
  Deno.test(`RestClient does not retry a server with an invalid certificate (${name})`, async () => {
    const { attempts, outcome } = await outcomeOf(name);
    assertInstanceOf(outcome, ApiConnectionError);
    assertEquals([outcome.obstacle, attempts], ["certificate", 1]);
    assertMatch(outcome.message, /^The server's certificate is invalid: /);
  });
}

for (const port of [1, 6000, 10080]) {
  Deno.test(`RestClient does not retry port ${port}, which fetch blocks`, async () => {
    let attempts = 0;
    const client = new RestClient({
      apiKey: "sk-secret",
      baseUrl: `http://127.0.0.1:${port}`,
      fetch: (input, init) => {
        attempts++;
        return fetch(input, init);
      },
    });
    const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
    assertInstanceOf(error, ApiConnectionError);
    assertEquals([error.obstacle, attempts], ["port", 1]);
    assertMatch(error.message, /^fetch blocks the port: /);
  });
}

Deno.test("RestClient in Deno without --allow-net fails at the first attempt with the obstacle `permission`", async () => {
  const program = `import { RestClient } from ${
    JSON.stringify(import.meta.resolve("../../mod.ts"))
  };
    let attempts = 0;
    const client = new RestClient({
      apiKey: "sk-secret",
      baseUrl: "http://127.0.0.1:8000",
      fetch: (input, init) => { attempts++; return fetch(input, init); },
    });
    client.listTrainingRuns$().subscribe({
      error: ({ name, obstacle, message }) => console.log(name, obstacle, attempts, message),
    });`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { stdout } = await child.output();
  assertMatch(
    new TextDecoder().decode(stdout),
    /^ApiConnectionError permission 1 The runtime has no permission to connect: .*--allow-net/,
  );
});

/** The rejection of Node, whose cause is the error. */
const nodeRejection = (cause: Error, code?: string) =>
  new TypeError("fetch failed", {
    cause: code === undefined ? cause : Object.assign(cause, { code }),
  });
const rejections: [string, Error, ConnectionObstacle | undefined][] = [
  [
    "a self-signed certificate in Node",
    nodeRejection(new Error(), "DEPTH_ZERO_SELF_SIGNED_CERT"),
    "certificate",
  ],
  ["an expired certificate in Node", nodeRejection(new Error(), "CERT_HAS_EXPIRED"), "certificate"],
  [
    "a certificate of the future in Node",
    nodeRejection(new Error(), "CERT_NOT_YET_VALID"),
    "certificate",
  ],
  [
    "a certificate of another host in Node",
    nodeRejection(new Error(), "ERR_TLS_CERT_ALTNAME_INVALID"),
    "certificate",
  ],
  [
    "an unknown authority in Node",
    nodeRejection(new Error(), "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
    "certificate",
  ],
  [
    "an incomplete chain in Node",
    nodeRejection(new Error(), "UNABLE_TO_VERIFY_LEAF_SIGNATURE"),
    "certificate",
  ],
  [
    "a server that requires a client's certificate",
    nodeRejection(new Error(), "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    "certificate",
  ],
  [
    "a certificate in Bun",
    Object.assign(new TypeError(), { code: "CERT_HAS_EXPIRED" }),
    "certificate",
  ],
  ["Node's permission model", nodeRejection(new Error(), "ERR_ACCESS_DENIED"), "permission"],
  ["a blocked port in Node", nodeRejection(new Error("bad port")), "port"],
  ["a blocked port in a browser", new TypeError("Failed to fetch"), "port"],
  [
    "a blocked port in Bun, which does not block it",
    Object.assign(new TypeError(), { code: "ECONNREFUSED" }),
    undefined,
  ],
  ["a refused connection", nodeRejection(new Error(), "ECONNREFUSED"), undefined],
  ["a reset connection", nodeRejection(new Error(), "ECONNRESET"), undefined],
  ["an unknown host", nodeRejection(new Error(), "ENOTFOUND"), undefined],
  [
    "a socket that undici lost",
    nodeRejection(new Error("other side closed"), "UND_ERR_SOCKET"),
    undefined,
  ],
  ["a server without TLS", nodeRejection(new Error(), "ERR_SSL_WRONG_VERSION_NUMBER"), undefined],
];
for (const [what, thrown, expected] of rejections) {
  Deno.test(`connectionObstacle returns ${expected} for ${what}`, async () => {
    assertEquals(await connectionObstacle(thrown, new URL("http://127.0.0.1:6000/")), expected);
  });
}

Deno.test("connectionObstacle returns undefined for a rejection without an obstacle", async () => {
  const url = new URL("https://api.example/");
  for (const thrown of [undefined, "offline", new Error("offline")]) {
    assertEquals(await connectionObstacle(thrown, url), undefined);
  }
});

Deno.test("RestClient fails with an ApiConnectionError for a circular chain of causes", async () => {
  const circle = new Error("round");
  circle.cause = circle;
  const client = new RestClient({
    apiKey: "sk-secret",
    fetch: () => Promise.reject(circle),
    retry: false,
  });
  const error = await assertRejects(() => firstValueFrom(client.listTrainingRuns$()));
  assertInstanceOf(error, ApiConnectionError);
});

Deno.test("connectionObstacle returns undefined for a port that fetch does not block", async () => {
  for (const port of [2, 80, 443, 3000, 6001, 8000, 65_535]) {
    const url = new URL(`http://h.example:${port}/`);
    assertEquals(await connectionObstacle(new TypeError(), url), undefined, String(port));
  }
});
