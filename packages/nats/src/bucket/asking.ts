import type { Msg } from "@nats-io/transport-node";
import type { Api } from "../api.ts";
import type { Request } from "../exchange.ts";
import { apiErrors } from "../faults.ts";
import { fromMessage, fromReply, type Stored, type StoredReply } from "../stored.ts";

/** A stream, and the call that asks it for the last message of a subject. */
export interface Asked {
  readonly api: Api;
  readonly stream: string;
  readonly subject: string;
}

/** One of the ways in which JetStream is asked for a value. */
export interface Asking {
  readonly toRequest: (asked: Asked) => Request;
  /** `none`: nothing stands there. `undefined`: that is no answer. */
  readonly read: (reply: Msg) => Stored | "none" | undefined;
}

/** By a request like all others, that the leader of the stream answers. */
export const byCall: Asking = {
  toRequest: ({ api, stream, subject }) => ({
    subject: api.subjectOf(`STREAM.MSG.GET.${stream}`),
    payload: JSON.stringify({ last_by_subj: subject }),
  }),
  read: (reply) => {
    if (reply.data.length === 0) return undefined;
    const answer = reply.json<StoredReply & { readonly error?: { readonly err_code?: number } }>();
    if (answer.error === undefined) return fromReply(answer);
    return answer.error.err_code === apiErrors.messageNotFound ? "none" : undefined;
  },
};

const notFound = 404;

/**
 * Past the line in which calls wait: sooner, and without base64. Any replica may answer, with what it has; so it is for
 * streams with one.
 */
export const directly: Asking = {
  toRequest: ({ api, stream, subject }) => ({ subject: api.subjectOf(`DIRECT.GET.${stream}.${subject}`), payload: "" }),
  read: (reply) => {
    const code = reply.headers?.code ?? 0;
    if (code !== 0) return code === notFound ? "none" : undefined;
    return reply.headers === undefined ? undefined : fromMessage(reply);
  },
};
