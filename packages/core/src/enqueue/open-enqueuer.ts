import type { OutgoingMessage, PublishResult } from "../broker.ts";
import type { ConnectionConfig } from "../config.ts";
import type { Connections } from "../connections.ts";
import { parseDuration } from "../duration.ts";
import { defaultMaxBodyBytes } from "../message.ts";
import type { Protection } from "../protection/protection.ts";
import { createEnqueuer, type Enqueuer, type EnqueuerParts } from "./enqueuer.ts";
import { createPublisher, type Publisher } from "./publisher.ts";
import { createRoutes, type Routes } from "./routes.ts";
import { createUniqueClaims } from "./unique-claims.ts";

export interface OpenEnqueuerParts<THandle>
  extends Pick<EnqueuerParts<THandle>, "serializers" | "isClosed" | "emitter" | "toHandle"> {
  readonly connections: Connections;
  readonly protection: Protection;
  readonly config: Pick<ConnectionConfig, "middlewares" | "publishTimeout" | "maxBodyBytes">;
}

/** Enqueues over the connections of a client or a worker. */
export interface OpenEnqueuer<THandle> extends Enqueuer<THandle> {
  /** To the broker, through the middlewares. */
  readonly publish: (outgoing: OutgoingMessage) => Promise<PublishResult>;
  /** To the broker, past the middlewares. */
  readonly publisher: Publisher;
  /** To the broker of a task, through the middlewares. */
  readonly routes: Routes;
  /** Resolves once everything enqueued so far is answered. */
  close(): Promise<void>;
}

export function openEnqueuer<THandle>({
  connections,
  protection,
  config,
  ...parts
}: OpenEnqueuerParts<THandle>): OpenEnqueuer<THandle> {
  const publishTimeout = parseDuration(config.publishTimeout ?? "30s", "publishTimeout");
  const publisher = createPublisher(connections.broker, publishTimeout);
  const middlewares = config.middlewares ?? [];
  const routes = createRoutes({ connections, publisher, middlewares, protection, publishTimeout });
  const { results, state } = connections;
  const uniqueClaims = createUniqueClaims({
    state,
    publishTimeout,
    ...(results !== undefined && {
      findFinished: async (ids) => (await results.get(ids)).map((outcome) => outcome !== undefined),
    }),
  });
  const enqueuer = createEnqueuer({
    ...parts,
    routes,
    uniqueClaims,
    maxBodyBytes: protection.limitOf(config.maxBodyBytes ?? defaultMaxBodyBytes),
    replyTo: results?.replyTo,
  });
  return { ...enqueuer, publish: routes.ordinary.publish, publisher, routes, close: routes.close };
}
