import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ConfigurationError } from "@taskferry/core";

/** What a readiness probe needs to know of a worker. */
export interface Health {
  readonly state: string;
  readonly isReady: boolean;
  /** Whether the broker can be reached; absent where there are several connections. */
  readonly isConnected?: boolean;
}

export interface HealthServer {
  /** The port it listens on. */
  readonly port: number;
  close(): Promise<void>;
}

export interface HealthServerOptions {
  /** 0: any free one. */
  readonly port: number;
  /** Default: all addresses. */
  readonly host: string | undefined;
  readonly health: () => Health;
}

/**
 * Answers probes. `/livez` is 200 whenever the event loop turns, for it is what answers. `/readyz` is 200 while the
 * worker takes tasks, and 503 while it starts, has lost its broker, or stops.
 */
export async function startHealthServer({ port, host, health }: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?", 1)[0];
    if (request.method !== "GET" && request.method !== "HEAD")
      return answer(response, 405, { error: "only GET and HEAD" });
    if (path === "/livez") return answer(response, 200, { status: "live" });
    if (path !== "/readyz") return answer(response, 404, { error: "only /livez and /readyz" });
    const { isReady, ...rest } = health();
    answer(response, isReady ? 200 : 503, { status: isReady ? "ready" : "not ready", ...rest });
  });
  // A probe that keeps its connection must not keep a stopped worker alive.
  server.keepAliveTimeout = 1_000;
  server.listen({ port, ...(host !== undefined && { host }) });
  await once(server, "listening").catch((cause: unknown) => {
    throw new ConfigurationError(
      "CONFIGURATION_INVALID",
      `The health port ${port} cannot be used. Choose another with --health-port.`,
      { cause },
    );
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

function answer(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { "content-type": "application/json", "cache-control": "no-store" })
    .end(`${JSON.stringify(body)}\n`);
}
