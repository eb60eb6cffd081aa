/**
 * Reads a body's text up to a limit, and gives up the rest of it.
 *
 * @param response Whose body to read.
 * @param maxBytes How many bytes to read at most.
 */
export async function boundedText(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (const reader = response.body.getReader();;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
    bytes += value.byteLength;
    if (bytes >= maxBytes) {
      await reader.cancel();
      return text;
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
