import type { Msg } from "@nats-io/transport-node";

/** A message as JetStream stores it. */
export interface Stored {
  readonly sequence: number;
  readonly subject: string;
  /** Epoch milliseconds by the server's clock. */
  readonly storedAt: number;
  readonly header: (name: string) => string;
  readonly bytes: Uint8Array;
}

/** An answer of STREAM.MSG.GET. */
export interface StoredReply {
  readonly message: {
    readonly seq: number;
    readonly subject: string;
    readonly time: string;
    readonly hdrs?: string;
    readonly data?: string;
  };
}

export function fromReply({ message: { seq, subject, time, hdrs = "", data = "" } }: StoredReply): Stored {
  const text = Buffer.from(hdrs, "base64").toString();
  const header = (name: string): string => new RegExp(`^${name}: ?(.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
  return { sequence: seq, subject, storedAt: Date.parse(time), header, bytes: Buffer.from(data, "base64") };
}

/** From an answer of DIRECT.GET: the message itself, where it is stored in its headers. */
export function fromMessage({ headers, data }: Msg): Stored {
  const header = (name: string): string => headers?.get(name) ?? "";
  return {
    sequence: Number(header("Nats-Sequence")),
    subject: header("Nats-Subject"),
    storedAt: Date.parse(header("Nats-Time-Stamp")),
    header,
    bytes: data,
  };
}
