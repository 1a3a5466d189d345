import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

// Systems take the ports of outgoing connections from 32768 or 49152 up. A client that reconnects to a killed server
// in that range can be given the server's own port, connect to itself, and keep the server from coming back.
const lowestPort = 10_000;
const highestPort = 32_767;

/** A random port below those of outgoing connections, on which nobody listens right now. */
export async function findFreePort(host: string): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(lowestPort, highestPort + 1);
    if (await isFree(host, port)) return port;
  }
  throw new Error(`Found no free port of ${host} between ${lowestPort} and ${highestPort} in 100 tries.`);
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen({ host, port, exclusive: true }), "listening");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE" || code === "EACCES") return false;
    throw error;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}
