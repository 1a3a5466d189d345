import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { testingError } from "../testing-error.ts";
import { Waiters } from "../waiters.ts";
import { type CheckedMode, checkMode, type FaultMode } from "./fault-mode.ts";
import type { CutOptions, FaultProxy, ProxyCounts, ProxyEvent, ProxyEventOf, ProxyWaitOptions } from "./fault-proxy.ts";
import { ProxiedConnection } from "./proxied-connection.ts";

const host = "127.0.0.1";

/** The server that a proxy stands before; a private server is one. */
export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
  /** Whose scheme, password and path the proxy's own URL takes over. */
  readonly url?: string;
}

/** Starts a proxy before that server, on a free port. The server need not run yet, and may come and go. */
export async function createFaultProxy(target: ProxyTarget): Promise<FaultProxy> {
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  await once(listener.listen(0, host), "listening");
  return new TcpFaultProxy(target, listener);
}

class TcpFaultProxy implements FaultProxy {
  readonly host = host;
  readonly port: number;
  readonly #target: ProxyTarget;
  readonly #listener: Server;
  readonly #open = new Map<number, ProxiedConnection>();
  readonly #waits = new Waiters<ProxyEvent>();
  readonly #cuts: CutOptions[] = [];
  readonly #bytes = { requests: 0, replies: 0, dropped: 0 };
  #mode: CheckedMode = "pass";
  #repliesToDrop = 0;
  #total = 0;
  #refused = 0;
  #disposed: Promise<void> | undefined;

  constructor(target: ProxyTarget, listener: Server) {
    this.#target = target;
    this.#listener = listener;
    this.port = (listener.address() as AddressInfo).port;
    listener.on("connection", (client) => this.#take(client));
  }

  get url(): string {
    const url = new URL(this.#target.url ?? `tcp://${this.#target.host}`);
    url.hostname = this.host;
    url.port = String(this.port);
    return url.href;
  }

  get counts(): ProxyCounts {
    return {
      connections: { open: this.#open.size, total: this.#total, refused: this.#refused },
      bytes: { ...this.#bytes },
    };
  }

  use(mode: FaultMode): void {
    this.#mode = checkMode(mode);
    for (const connection of [...this.#open.values()]) connection.modeChanged();
  }

  abandon(): void {
    for (const connection of this.#open.values()) connection.abandon();
  }

  reset(): void {
    for (const connection of [...this.#open.values()]) connection.reset();
  }

  dropNextReply(): void {
    this.#repliesToDrop += 1;
  }

  cutAfterRequest(cut: CutOptions = {}): void {
    this.#cuts.push(cut);
  }

  waitFor<T extends ProxyEvent["type"]>(type: T, options: ProxyWaitOptions<T> = {}): Promise<ProxyEventOf<T>> {
    const fits = (event: ProxyEvent): boolean =>
      event.type === type && (options.match?.(event as ProxyEventOf<T>) ?? true);
    return this.#waits.wait(`the event "${type}" of the proxy`, fits, options) as Promise<ProxyEventOf<T>>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#close();
    await this.#disposed;
  }

  async #close(): Promise<void> {
    this.#waits.fail(testingError("PROXY_CLOSED", "The proxy was closed."));
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    this.reset();
    await closed;
  }

  #take(client: Socket): void {
    if (this.#mode === "refuse") {
      this.#refused += 1;
      client.resetAndDestroy();
      this.#tell({ type: "refused" });
      return;
    }
    this.#total += 1;
    const id = this.#total;
    const server = connect({ host: this.#target.host, port: this.#target.port, allowHalfOpen: true, noDelay: true });
    const connection = new ProxiedConnection({
      id,
      client,
      server,
      owner: {
        mode: () => this.#mode,
        claimDrop: () => this.#claimDrop(),
        claimCut: (requests) => this.#claimCut(requests),
        count: (direction, bytes) => {
          this.#bytes[direction] += bytes;
        },
        tell: (event) => this.#tell(event),
      },
    });
    this.#open.set(id, connection);
    this.#tell({ type: "connection", connection: id });
  }

  #claimDrop(): boolean {
    if (this.#repliesToDrop === 0) return false;
    this.#repliesToDrop -= 1;
    return true;
  }

  #claimCut(requests: Buffer): CutOptions | undefined {
    const matches = this.#cuts[0]?.request?.(requests) ?? true;
    return matches ? this.#cuts.shift() : undefined;
  }

  #tell(event: ProxyEvent): void {
    if (event.type === "closed") this.#open.delete(event.connection);
    this.#waits.announce(event);
  }
}
