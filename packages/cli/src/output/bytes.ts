/** Bytes as text where they are text, else as base64. */
export function textOf(bytes: Uint8Array): { readonly text: string } | { readonly base64: string } {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    // The decoder's one refusal: these bytes are no UTF-8.
    return { base64: Buffer.from(bytes).toString("base64") };
  }
}
