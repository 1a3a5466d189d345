import type { Broker, OutgoingMessage, PublishOptions, PublishResult } from "../broker.ts";

/** A broker that answers at once for some messages and hands them on later. What it holds ends with the process. */
export interface LateBroker {
  readonly broker: Broker;
  /** Hands the message with this id on once `until` has settled, whichever way. */
  hold(id: string, until: Promise<unknown>): void;
  /** Forgets an id that will not be published. */
  letGo(id: string): void;
  /** Messages that were answered for and not handed on. */
  readonly held: number;
  /** Calls `listener` whenever one was handed on. */
  onChange(listener: () => void): () => void;
}

export function createLateBroker(broker: Broker): LateBroker {
  const waits = new Map<string, Promise<void>>();
  const listeners = new Set<() => void>();
  let held = 0;

  const publishLater = async (
    outgoing: OutgoingMessage,
    until: Promise<void>,
    options: PublishOptions,
  ): Promise<void> => {
    held += 1;
    await until;
    held -= 1;
    // It rejects for one that has closed: then there is nobody left to run it.
    await broker.publish([outgoing], options).catch(() => undefined);
    for (const listener of listeners) listener();
  };
  const publish: Broker["publish"] = async (messages, options) => {
    const now = messages.filter(({ message }) => !waits.has(message.id));
    const answers = now.length === 0 ? [] : await broker.publish(now, options);
    const answered = new Map(now.map((outgoing, index) => [outgoing, answers[index]]));
    return messages.map((outgoing): PublishResult => {
      const { id } = outgoing.message;
      const until = waits.get(id);
      waits.delete(id);
      if (until !== undefined) void publishLater(outgoing, until, options);
      return answered.get(outgoing) ?? { status: "accepted" };
    });
  };
  return {
    broker: {
      name: broker.name,
      contract: broker.contract,
      capabilities: broker.capabilities,
      connect: () => broker.connect(),
      close: () => broker.close(),
      [Symbol.asyncDispose]: () => broker.close(),
      consume: (queue, options) => broker.consume(queue, options),
      on: (listener) => broker.on(listener),
      ...(broker.admin !== undefined && { admin: broker.admin }),
      ...(broker.companions !== undefined && { companions: broker.companions }),
      publish,
    },
    hold: (id, until) => {
      const settled = until.then(
        () => undefined,
        () => undefined,
      );
      waits.set(id, settled);
    },
    letGo: (id) => void waits.delete(id),
    get held() {
      return held;
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
