import { headers, type MsgHdrs } from "@nats-io/transport-node";

/** Headers that JetStream reads. */
export const natsHeader = {
  messageId: "Nats-Msg-Id",
  expectedSubjectSequence: "Nats-Expected-Last-Subject-Sequence",
} as const;

export function headersOf(fields: Readonly<Record<string, string>>): MsgHdrs {
  const all = headers();
  for (const name in fields) all.set(name, fields[name] as string);
  return all;
}
