export interface AckSubject {
  readonly delivered: number;
  readonly sequence: number;
  /** When the server stored the message, by its own clock, in epoch milliseconds. */
  readonly storedAt: number;
}

const dot = 0x2e;

/** Reads `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQ.CSEQ.TIME.PENDING`; later servers put a domain and an account before. */
export function readAckSubject(subject: string): AckSubject {
  let dots = 0;
  for (let at = 0; at < subject.length; at += 1) if (subject.charCodeAt(at) === dot) dots += 1;
  const delivered = afterDots(subject, 0, dots > 8 ? 6 : 4);
  const sequence = afterDots(subject, delivered, 1);
  const time = afterDots(subject, sequence, 2);
  return {
    delivered: numberAt(subject, delivered),
    sequence: numberAt(subject, sequence),
    storedAt: Math.floor(numberAt(subject, time) / 1_000_000),
  };
}

/** Where the token begins that comes so many dots after `start`. */
function afterDots(subject: string, start: number, count: number): number {
  let at = start;
  for (let dots = 0; dots < count; dots += 1) {
    const next = subject.indexOf(".", at);
    if (next === -1) return subject.length;
    at = next + 1;
  }
  return at;
}

/** `NaN` for what is no number. */
function numberAt(subject: string, start: number): number {
  let value = 0;
  for (let at = start; at < subject.length; at += 1) {
    const digit = subject.charCodeAt(at) - 0x30;
    if (digit === dot - 0x30) return at === start ? Number.NaN : value;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return start < subject.length ? value : Number.NaN;
}
