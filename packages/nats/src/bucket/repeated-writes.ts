import type { Connection } from "../connection.ts";
import type { Request } from "../exchange.ts";
import { headersOf, natsHeader } from "../frame.ts";
import { type PubAck, storeAll } from "../store-all.ts";

/** A write as it is sent, and the name by which the server knows it when it comes again. */
export interface NamedRequest extends Request {
  readonly name: string;
}

export interface ProbeOptions {
  readonly connection: Connection;
  /** A subject of the bucket's stream that no value has. */
  readonly subject: string;
  /** On the clock of `monotonicNow()`. */
  readonly deadline: number;
}

/**
 * Under which numbers the first copies of writes were stored, `"none"` for those that were not, undefined where that cannot
 * be told. Later servers (2.15; 2.10 does not) look at the condition of a write before its name: to one that is sent again
 * they say that something else stands, be it the first copy itself, which may also have been written over since. What has no
 * condition is looked up by its name alone. A name that was not known is known from then on, so that no first copy comes
 * late.
 */
export async function findFirstCopies(
  writes: readonly NamedRequest[],
  { connection, subject, deadline }: ProbeOptions,
): Promise<readonly (number | "none" | undefined)[]> {
  const probes = writes.map(
    ({ name }): Request => ({ subject, payload: "", headers: headersOf({ [natsHeader.messageId]: name }) }),
  );
  const repeated = new Set<Request>();
  const again = (probe: Request): Request => {
    repeated.add(probe);
    return probe;
  };
  const read = ({ error, ...ack }: PubAck): PubAck | undefined => (error === undefined ? ack : undefined);
  const answers = await storeAll(probes, { connection, deadline, read, again });
  return answers.map((answer, index) => {
    if (answer?.duplicate !== true) return answer && "none";
    // It may be the first copy of the probe that is known.
    return repeated.has(probes[index] as Request) ? undefined : answer.seq;
  });
}
