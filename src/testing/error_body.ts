// This module is browser compatible.

/**
 * The form of an error's body:
 *
 * - `"hpcai"`: the API's own `{"error", "message"}`
 * - `"fastapi"`: `{"detail": text}`
 * - `"fastapi-validation"`: `{"detail": [{"loc", "msg", "type"}]}`
 * - `"html"`: the page of a proxy
 * - `"empty"`: no body
 */
export type ErrorShape = "hpcai" | "fastapi" | "fastapi-validation" | "html" | "empty";

/** The facts of an error, independent of the shape of its body. */
export interface ErrorFacts {
  /** A code for programs, such as `"not_found"`. */
  readonly code: string;
  /** A sentence for people. */
  readonly message: string;
  /** More facts for programs; part of the `"hpcai"` shape only. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** Where the request is invalid; part of the `"fastapi-validation"` shape only. */
  readonly location?: readonly string[] | undefined;
}

/** Returns the body of an error and its media type, which is `undefined` where the body is empty. */
export function errorBody(
  shape: ErrorShape,
  { code, message, details, location = ["body"] }: ErrorFacts,
): { readonly text: string; readonly contentType: string | undefined } {
  const json = (value: unknown) => ({
    text: JSON.stringify(value),
    contentType: "application/json",
  });
  switch (shape) {
    case "hpcai":
      return json({ error: code, message, details });
    case "fastapi":
      return json({ detail: message });
    case "fastapi-validation":
      return json({ detail: [{ loc: location, msg: message, type: code }] });
    case "html":
      return {
        text: `<html><head><title>${message}</title></head><body><h1>${message}</h1></body></html>`,
        contentType: "text/html; charset=utf-8",
      };
    case "empty":
      return { text: "", contentType: undefined };
  }
}
