import type { Api } from "../api.ts";
import { apiErrors, isApiError } from "../faults.ts";
import { nanoseconds } from "../streams.ts";

export interface DurableInfo {
  /** When it was made: another one of the same name has another time. */
  readonly created: string;
  readonly config: { readonly ack_wait: number } & Readonly<Record<string, unknown>>;
  readonly delivered: { readonly stream_seq: number };
  readonly ack_floor: { readonly stream_seq: number; readonly consumer_seq: number };
  readonly num_ack_pending: number;
  readonly num_pending: number;
  readonly num_waiting: number;
}

/** Pull requests that wait at a consumer of the server at most. */
const mostWaiting = 16_384;

export interface Durable {
  readonly stream: string;
  readonly name: string;
  readonly filter: string;
}

export async function findDurable(api: Api, { stream, name }: Durable): Promise<DurableInfo | undefined> {
  try {
    return await api.call<DurableInfo>(`CONSUMER.INFO.${stream}.${name}`, undefined);
  } catch (error) {
    if (isApiError(error, apiErrors.consumerNotFound, apiErrors.streamNotFound)) return undefined;
    throw error;
  }
}

/** Makes it, or sets its `ackWait` in milliseconds. */
export function putDurable(api: Api, { stream, name, filter }: Durable, ackWait: number): Promise<DurableInfo> {
  return api.call<DurableInfo>(`CONSUMER.DURABLE.CREATE.${stream}.${name}`, {
    stream_name: stream,
    config: {
      durable_name: name,
      filter_subject: filter,
      deliver_policy: "all",
      replay_policy: "instant",
      ack_policy: "explicit",
      ack_wait: ackWait * nanoseconds,
      // Giving up on a message is the worker's business: one that the server gives up on stays, unseen, in the stream.
      max_deliver: -1,
      max_ack_pending: -1,
      max_waiting: mostWaiting,
    },
  });
}

/** Makes it if it is not there. */
export async function ensureDurable(api: Api, durable: Durable, ackWait: number): Promise<DurableInfo> {
  return (await findDurable(api, durable)) ?? (await putDurable(api, durable, ackWait));
}
