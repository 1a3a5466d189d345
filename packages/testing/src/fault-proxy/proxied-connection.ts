import type { Socket } from "node:net";
import type { CheckedMode } from "./fault-mode.ts";
import type { CutOptions, ProxyEvent } from "./fault-proxy.ts";
import { Flow } from "./flow.ts";

const rememberedBytes = 64 * 1024;

/** What a connection asks of the proxy it belongs to, and tells it. */
export interface ConnectionOwner {
  readonly mode: () => CheckedMode;
  /** Whether the reply that begins now is one to drop. Each such answer is given once. */
  readonly claimDrop: () => boolean;
  /** The cut whose request this is, if there is one. It is then this connection's. */
  readonly claimCut: (requests: Buffer) => CutOptions | undefined;
  readonly count: (direction: "dropped" | "replies" | "requests", bytes: number) => void;
  readonly tell: (event: ProxyEvent) => void;
}

export interface ProxiedConnectionOptions {
  readonly id: number;
  readonly client: Socket;
  readonly server: Socket;
  readonly owner: ConnectionOwner;
}

/** One client's connection and the one to the server that goes with it. */
export class ProxiedConnection {
  readonly #id: number;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #owner: ConnectionOwner;
  readonly #requests: Flow;
  readonly #replies: Flow;
  #unanswered: Buffer = Buffer.alloc(0);
  #swallowed: Buffer = Buffer.alloc(0);
  #cut: CutOptions | undefined;
  #phase: "broken" | "cutting" | "open" = "open";
  #droppingReply = false;
  #isAbandoned = false;
  #openSides = 2;

  constructor({ id, client, server, owner }: ProxiedConnectionOptions) {
    this.#id = id;
    this.#client = client;
    this.#server = server;
    this.#owner = owner;
    const mode = (): CheckedMode => this.#mode;
    this.#requests = new Flow({
      source: client,
      target: server,
      mode,
      admit: (bytes) => this.#admitRequest(bytes),
      onForwarded: (bytes) => owner.count("requests", bytes),
    });
    this.#replies = new Flow({
      source: server,
      target: client,
      mode,
      admit: (bytes) => this.#admitReply(bytes),
      onForwarded: (bytes) => owner.count("replies", bytes),
    });
    for (const socket of [client, server]) {
      socket.on("error", () => this.#sideBroke());
      socket.on("close", () => this.#sideClosed());
    }
    this.modeChanged();
  }

  get #mode(): CheckedMode {
    return this.#isAbandoned ? "freeze" : this.#owner.mode();
  }

  /** Frozen from now on, whatever the mode. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  modeChanged(): void {
    if (this.#phase === "broken" && this.#mode !== "freeze") {
      this.reset();
    } else {
      this.#requests.advance();
      this.#replies.advance();
    }
  }

  /** Ends both sides by RST, at once. */
  reset(): void {
    this.#requests.stop();
    this.#replies.stop();
    resetSocket(this.#client);
    resetSocket(this.#server);
  }

  #admitRequest(bytes: Buffer): boolean {
    this.#owner.tell({ type: "request", connection: this.#id, bytes });
    this.#droppingReply = false;
    this.#unanswered = lastOf(this.#unanswered, bytes);
    this.#cut ??= this.#owner.claimCut(this.#unanswered);
    return true;
  }

  #admitReply(bytes: Buffer): boolean {
    this.#owner.tell({ type: "reply", connection: this.#id, bytes });
    this.#unanswered = Buffer.alloc(0);
    if (this.#isToBeDropped()) {
      this.#owner.count("dropped", bytes.length);
      this.#owner.tell({ type: "dropped", connection: this.#id, bytes });
      this.#cutIfAnswered(bytes);
      return false;
    }
    return true;
  }

  #isToBeDropped(): boolean {
    if (this.#cut || this.#mode === "dropReplies") return true;
    this.#droppingReply ||= this.#owner.claimDrop();
    return this.#droppingReply;
  }

  #cutIfAnswered(bytes: Buffer): void {
    if (this.#cut === undefined || this.#phase === "cutting") return;
    this.#swallowed = lastOf(this.#swallowed, bytes);
    if (this.#cut.reply && !this.#cut.reply(this.#swallowed)) return;
    this.#phase = "cutting";
    this.#replies.stop();
    resetSocket(this.#client);
    this.#requests.finish();
    this.#server.resume();
  }

  /** An end that was not in good order goes to the other side as one, but not while frozen: then nobody hears of it. */
  #sideBroke(): void {
    if (this.#phase !== "open") return;
    this.#phase = "broken";
    this.modeChanged();
  }

  #sideClosed(): void {
    this.#openSides -= 1;
    if (this.#openSides > 0) return;
    this.#requests.stop();
    this.#replies.stop();
    if (this.#phase === "cutting") this.#owner.tell({ type: "cut", connection: this.#id });
    this.#owner.tell({ type: "closed", connection: this.#id });
  }
}

function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}

function lastOf(before: Buffer, bytes: Buffer): Buffer {
  return Buffer.concat([before, bytes]).subarray(-rememberedBytes);
}
