import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ConfigurationError, type Logger } from "@taskferry/core";

export interface MetricsServer {
  /** The port it listens on. */
  readonly port: number;
  close(): Promise<void>;
}

export interface MetricsServerOptions {
  /** 0: any free one. */
  readonly port: number;
  /** Default: all addresses. */
  readonly host: string | undefined;
  readonly contentType: string;
  /** All metrics as text. */
  readonly gather: () => Promise<string>;
  readonly logger: Logger;
}

/** Answers `/metrics` for Prometheus. @throws ConfigurationError `CONFIGURATION_INVALID`. */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { port, host, contentType, gather, logger } = options;
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?", 1)[0];
    if (request.method !== "GET" || path !== "/metrics") {
      return response.writeHead(404, { "content-type": "text/plain" }).end("only GET /metrics\n");
    }
    gather().then(
      (text) => response.writeHead(200, { "content-type": contentType, "cache-control": "no-store" }).end(text),
      (error: unknown) => {
        logger.error({ error }, "metrics could not be gathered");
        response.writeHead(500).end();
      },
    );
    return undefined;
  });
  server.keepAliveTimeout = 1_000;
  server.listen({ port, ...(host !== undefined && { host }) });
  await once(server, "listening").catch((cause: unknown) => {
    const text = `The metrics port ${port} cannot be used. Choose another with --metrics-port.`;
    throw new ConfigurationError("CONFIGURATION_INVALID", text, { cause });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
