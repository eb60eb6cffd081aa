/** Tests of the methods and paths that apiProxy forwards. */
import { assertEquals } from "@std/assert";
import { BASE_URL, createProxy } from "./proxy_fixture.ts";

for (
  const [method, path] of [
    ["GET", "/api/v1/training_runs"],
    ["GET", "/api/v1/training_runs/r"],
    ["GET", "/api/v1/training_runs/r/checkpoints"],
    ["GET", "/api/v1/training_runs/r/checkpoints/c/archive"],
    ["GET", "/api/v1/training_runs/r/checkpoints/c/d/archive"],
    ["DELETE", "/api/v1/training_runs/r/checkpoints/c"],
    ["DELETE", "/api/v1/training_runs/r/checkpoints/c/d"],
    ["GET", "/api/v1/training_runs/r%20%C3%A9"],
  ] as const
) {
  Deno.test(`apiProxy forwards ${method} ${path} under any prefix`, async () => {
    const { requests, proxy } = createProxy(() => Response.json({ url: `${BASE_URL}/archive` }));
    for (const prefix of ["", "/hpcai", "/a/b", "/api/v1/hpcai"]) {
      requests.length = 0;
      await proxy(new Request(`http://localhost${prefix}${path}`, { method }));
      assertEquals(requests[0]?.method, method);
      assertEquals(requests[0]?.url, `${BASE_URL}${path}`);
    }
  });
}

for (
  const [method, path] of [
    ["GET", "/"],
    ["GET", "/api/v1"],
    ["GET", "/api/v1/"],
    ["GET", "/api/v1/other"],
    ["GET", "/api/v2/training_runs"],
    ["GET", "/api/v1/training_runs/"],
    ["GET", "/api/v1/training_runs//checkpoints"],
    ["GET", "/api/v1/training_runs/r/"],
    ["GET", "/api/v1/training_runs/r/s"],
    ["GET", "/api/v1/training_runs/r/checkpoints/"],
    ["GET", "/api/v1/training_runs/r/checkpoints/archive"],
    ["GET", "/api/v1/training_runs/r/checkpoints//archive"],
    ["GET", "/api/v1/training_runs/r/checkpoints/c"],
    ["GET", "/api/v1/training_runs/r/checkpoints/c/archive/"],
    ["POST", "/api/v1/training_runs"],
    ["HEAD", "/api/v1/training_runs"],
    ["OPTIONS", "/api/v1/training_runs"],
    ["PUT", "/api/v1/training_runs/r/checkpoints/c"],
    ["DELETE", "/api/v1/training_runs"],
    ["DELETE", "/api/v1/training_runs/r"],
    ["DELETE", "/api/v1/training_runs/r/checkpoints"],
    ["DELETE", "/api/v1/training_runs/r/checkpoints/"],
    // Encoded slashes, dots, percent signs and control characters.
    ["GET", "/api/v1/training_runs/r%2fcheckpoints"],
    ["GET", "/api/v1/training_runs/r%2F..%2F..%2Fusers"],
    ["GET", "/api/v1/training_runs/r%5C..%5Cusers"],
    ["GET", "/api/v1/training_runs/%2e%2e/users"],
    ["GET", "/api/v1/training_runs/../users"],
    ["GET", "/api/v1/training_runs/%252e%252e"],
    ["GET", "/api/v1/training_runs/r%252fcheckpoints"],
    ["GET", "/api/v1/training_runs/r%00"],
    ["GET", "/api/v1/training_runs/r%0d%0aX-Header:1"],
    ["GET", "/api/v1/training_runs/%ff"],
    ["GET", "/api/v1/training_runs/%"],
    ["DELETE", "/api/v1/training_runs/r/checkpoints/%2e%2e%2fusers"],
    ["DELETE", "/api/v1/training_runs/r/checkpoints/c%2f..%2f..%2f.."],
    ["GET", "/api%2fv1/training_runs"],
  ] as const
) {
  Deno.test(`apiProxy responds to ${method} ${path} with 404`, async () => {
    const { requests, request } = createProxy(() => Response.json({}));
    const response = await request(path, { method });
    assertEquals(response.status, 404);
    assertEquals(await response.json(), {
      error: "not_found",
      message: "The proxy forwards the documented routes of the API only",
    });
    assertEquals(requests, []);
  });
}
