import { setTimeout as sleep } from "node:timers/promises";

/** Slows a body down to so many bytes a second: nobody could watch the progress bar otherwise. */
export function paced(response: Response, bytesPerSecond: number): Response {
  const startedAt = performance.now();
  let sent = 0;
  const pace = new TransformStream<Uint8Array, Uint8Array>({
    async transform(chunk, controller) {
      sent += chunk.byteLength;
      const dueAt = startedAt + sent / bytesPerSecond * 1000;
      await sleep(Math.max(0, dueAt - performance.now()));
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body?.pipeThrough(pace) ?? null, response);
}
