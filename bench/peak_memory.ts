/** The time limit of a process that is measured. */
const TIMEOUT_MS = 300_000;

/**
 * Runs a program of this directory in a new process, because the peak of a process never falls.
 *
 * @param program The file, which prints its peak memory in KiB.
 * @param permissions Its permissions, besides the network.
 * @param args Its arguments.
 * @returns The peak memory in MiB.
 */
export async function peakMib(
  program: string,
  permissions: readonly string[],
  args: readonly string[],
): Promise<number> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-net=127.0.0.1",
      ...permissions,
      new URL(program, import.meta.url).href,
      ...args,
    ],
    stderr: "inherit",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).output();
  if (!success) throw new Error(`${program} failed, or took longer than ${TIMEOUT_MS} ms`);
  return Number(new TextDecoder().decode(stdout)) / 1024;
}
