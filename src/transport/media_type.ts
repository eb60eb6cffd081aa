/** The media type of a response in lower case, without parameters; "" where it has none. */
export function mediaType({ headers }: Response): string {
  return headers.get("Content-Type")?.split(";")[0]?.trim().toLowerCase() ?? "";
}
