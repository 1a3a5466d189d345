import {
  type BrokerAdmin,
  type Client,
  type Config,
  createClient,
  type Logger,
  resolveConnections,
} from "@taskferry/core";

/** Looks into the queues of a configuration, over a connection of its own that is opened at the first look. */
export interface QueueDepths extends Pick<BrokerAdmin, "depth"> {
  close(): Promise<void>;
}

export interface QueueDepthsOptions {
  readonly config: Config & { readonly root: string };
  readonly logger: Logger;
}

/** `undefined` where the broker cannot be looked into: its queues then have no depth to show. */
export async function openQueueDepths({ config, logger }: QueueDepthsOptions): Promise<QueueDepths | undefined> {
  const { broker } = await resolveConnections(config);
  if (broker.admin === undefined) return undefined;
  let client: Promise<Client<false, false>> | undefined;
  const open = (): Promise<Client<false, false>> => {
    client ??= createClient({
      ...{ root: config.root, broker, results: false, state: false, broadcast: false, logger },
    }).catch((error: unknown) => {
      client = undefined;
      throw error;
    });
    return client;
  };
  return {
    depth: async (name) => (await open()).queues.depth(name),
    close: async () => (await client?.catch(() => undefined))?.close(),
  };
}
