import type { Broker, OutgoingMessage, PublishResult } from "../broker.ts";
import type { CallableTask } from "../callable-task.ts";
import { refuseBroadcast } from "../capability-checks.ts";
import { composeEnqueue } from "../compose.ts";
import type { Connections } from "../connections.ts";
import type { Middleware } from "../middleware.ts";
import type { Protection } from "../protection/protection.ts";
import { createPublisher, type Publisher } from "./publisher.ts";

/** Where the messages of a task go, and the way there through all middlewares. */
export interface Route {
  readonly broker: Broker;
  readonly publish: (outgoing: OutgoingMessage) => Promise<PublishResult>;
}

/** The ways of a client: to the broker, and to the one for broadcasts, which is connected at its first use. */
export interface Routes {
  /** The way of every task that is no broadcast. */
  readonly ordinary: Route;
  /** @throws UnsupportedCapabilityError for a broadcast where nobody can deliver to every worker. */
  of(task: CallableTask): Route;
  /** Resolves once everything enqueued so far is answered, and what these routes connected is closed. */
  close(): Promise<void>;
}

export interface RouteParts {
  readonly connections: Pick<Connections, "broker" | "broadcast">;
  /** To the broker. */
  readonly publisher: Publisher;
  readonly middlewares: readonly Middleware[];
  readonly protection: Protection;
  /** Milliseconds that a message may wait for its broker. */
  readonly publishTimeout: number;
}

export function createRoutes({ connections, publisher, ...parts }: RouteParts): Routes {
  const { broker, broadcast } = connections;
  const ordinary = { broker, publish: wayTo(publisher.add, parts) };
  const toAll = broadcast === undefined ? undefined : createLateRoute(broadcast, parts);
  return {
    ordinary,
    of: (task) => (task.options.broadcast ? (toAll ?? refuseBroadcast(broker, task.name)) : ordinary),
    close: async () => {
      await publisher.drain();
      await toAll?.close();
    },
  };
}

/** Through all middlewares, which see what was serialized, then through protection. */
function wayTo(
  publish: Route["publish"],
  { middlewares, protection }: Pick<RouteParts, "middlewares" | "protection">,
): Route["publish"] {
  const innermost = protection.wayOut(publish);
  return composeEnqueue(middlewares, innermost) ?? innermost;
}

/** Few clients broadcast: the others need no connection for it. */
function createLateRoute(
  broker: Broker,
  { publishTimeout, ...parts }: Omit<RouteParts, "connections" | "publisher">,
): Route & { readonly close: () => Promise<void> } {
  const publisher = createPublisher(broker, publishTimeout);
  let connecting: Promise<void> | undefined;
  const connect = (): Promise<void> => {
    connecting ??= broker.connect().catch((error: unknown) => {
      connecting = undefined;
      throw error;
    });
    return connecting;
  };
  const add = async (outgoing: OutgoingMessage): Promise<PublishResult> => {
    await connect();
    return publisher.add(outgoing);
  };
  return {
    broker,
    publish: wayTo(add, parts),
    close: async () => {
      await publisher.drain();
      if (connecting === undefined) return;
      await Promise.allSettled([connecting]);
      await broker.close();
    },
  };
}
