/**
 * Reads the text of a body up to a limit and cancels the rest.
 *
 * @param maxBytes The limit in bytes, counted after the content coding is removed.
 * @returns The text, and whether it is the whole body.
 */
export async function readBoundedText(
  response: Response,
  maxBytes: number,
): Promise<{ text: string; isWhole: boolean }> {
  // Some runtimes have the text of a response, but no stream of its body.
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
      // Not awaited, since cancelling an endless body can take long.
      reader.cancel().catch(() => {});
      return { text, isWhole: false };
    }
  }
}

/** Cancels a body that is not needed, which frees its connection. */
export async function discardBody(response: Response): Promise<void> {
  try {
    await response.body?.cancel();
  } catch {
    // The body has failed already.
  }
}

/** The media type of a response in lower case, without parameters; "" where it has none. */
export function mediaType({ headers }: Response): string {
  return headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";
}
