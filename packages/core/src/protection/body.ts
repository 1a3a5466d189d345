/** Serialized bytes and the format that they are in: of an input, or of a result. */
export interface Body {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** What bytes are for. Whatever is signed or encrypted for one is worth nothing for another. */
export type ProtectedDomain = "task" | "result" | "control";

/** Where a body belongs: what an encrypted one is bound to. */
export interface BodyPlace {
  readonly domain: "task" | "result";
  readonly id: string;
  readonly task: string;
  readonly queue: string;
}
