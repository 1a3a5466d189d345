import type { Broker, OutgoingMessage, PublishResult } from "../broker.ts";
import type { CallableTask } from "../callable-task.ts";
import { refuseBroadcast } from "../capability-checks.ts";
import { composeEnqueue } from "../compose.ts";
import type { Connections } from "../connections.ts";
import type { Middleware } from "../middleware.ts";
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
  /** Milliseconds that a message may wait for its broker. */
  readonly publishTimeout: number;
}

export function createRoutes({ connections, publisher, middlewares, publishTimeout }: RouteParts): Routes {
  const { broker, broadcast } = connections;
  const ordinary = { broker, publish: composeEnqueue(middlewares, publisher.add) ?? publisher.add };
  const toAll = broadcast === undefined ? undefined : createLateRoute(broadcast, { middlewares, publishTimeout });
  return {
    ordinary,
    of: (task) => (task.options.broadcast ? (toAll ?? refuseBroadcast(broker, task.name)) : ordinary),
    close: async () => {
      await publisher.drain();
      await toAll?.close();
    },
  };
}

/** Few clients broadcast: the others need no connection for it. */
function createLateRoute(
  broker: Broker,
  { middlewares, publishTimeout }: Pick<RouteParts, "middlewares" | "publishTimeout">,
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
    publish: composeEnqueue(middlewares, add) ?? add,
    close: async () => {
      await publisher.drain();
      if (connecting === undefined) return;
      await Promise.allSettled([connecting]);
      await broker.close();
    },
  };
}
