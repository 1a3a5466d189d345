export interface AckSubject {
  readonly delivered: number;
  readonly sequence: number;
  /** When the server stored the message, by its own clock, in epoch milliseconds. */
  readonly storedAt: number;
}

/** Reads `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQ.CSEQ.TIME.PENDING`; later servers put a domain and an account before. */
export function readAckSubject(subject: string): AckSubject {
  const tokens = subject.split(".");
  const at = tokens.length > 9 ? 6 : 4;
  return {
    delivered: Number(tokens[at]),
    sequence: Number(tokens[at + 1]),
    storedAt: Math.floor(Number(tokens[at + 3]) / 1_000_000),
  };
}
