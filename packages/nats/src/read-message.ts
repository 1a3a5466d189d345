import { type Delivery, decodeMessage, isTaskferryError, MessageError } from "@taskferry/core";

/** The message that the bytes are, or why they are none. */
export function readMessage(bytes: Uint8Array): Pick<Delivery, "message"> | Pick<Delivery, "malformed"> {
  try {
    return { message: decodeMessage(bytes) };
  } catch (error) {
    const known = isTaskferryError(error)
      ? error
      : new MessageError("MESSAGE_MALFORMED", `Expected a message, got bytes that cannot be read: ${String(error)}`);
    return { malformed: { bytes, error: known, id: known instanceof MessageError ? known.id : undefined } };
  }
}
