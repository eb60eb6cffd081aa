/**
 * Reads a body's text up to a limit and cancels the rest.
 *
 * @param response Whose body to read.
 * @param maxBytes How many bytes to read at most, counted after the content coding is removed.
 * @returns The text, and whether it is the whole body.
 */
export async function boundedText(
  response: Response,
  maxBytes: number,
): Promise<{ text: string; isWhole: boolean }> {
  // Some runtimes have no body streams, and give the text alone.
  const reader = response.body?.getReader();
  if (reader === undefined) return { text: await response.text(), isWhole: true };
  const decoder = new TextDecoder();
  let text = "";
  for (let bytes = 0;;) {
    const { done, value } = await reader.read();
    if (done) return { text: text + decoder.decode(), isWhole: true };
    text += decoder.decode(value.subarray(0, maxBytes - bytes), { stream: true });
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      // Not waited for: a body that does not end need not be quick to cancel.
      reader.cancel().catch(() => {});
      return { text, isWhole: false };
    }
  }
}

/** Gives up a body that nobody wants, so that its connection does not wait for a reader. */
export async function discardBody(response: Response): Promise<void> {
  try {
    await response.body?.cancel();
  } catch {
    // A body that broke by itself is given up already.
  }
}
