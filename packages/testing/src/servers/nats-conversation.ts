import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A plain connection to NATS over the bare socket: enough to ask whether it serves, and for one request at a time. */
export interface NatsConversation extends Disposable {
  readonly socket: Socket;
  /** What the server says of itself: `server_name`, `version`, `jetstream`. */
  readonly info: Readonly<Record<string, unknown>>;
  /** Resolves once the server has answered a PING, and so has taken the credentials; rejects with its error otherwise. */
  ping(): Promise<void>;
  /** Publishes with a reply subject and resolves with the bytes of the first reply as JSON. */
  request(subject: string, body?: object): Promise<Readonly<Record<string, unknown>>>;
}

export interface NatsAddress {
  readonly host: string;
  readonly port: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Waiter {
  readonly resolve: (reply: string) => void;
  readonly reject: (reason: Error) => void;
}

const reply = "_INBOX.conversation";

/** Connects and gives the credentials, if there are any. */
export async function converseWithNats({ host, port, user, password, signal }: NatsAddress): Promise<NatsConversation> {
  const socket = connect({ host, port, ...(signal && { signal }) });
  const conversation = new SocketConversation(socket);
  await once(socket, "connect");
  await conversation.greeted;
  const credentials = user === undefined ? {} : { user, pass: password ?? "" };
  const options = { verbose: false, pedantic: false, headers: true, no_responders: true, ...credentials };
  socket.write(`CONNECT ${JSON.stringify(options)}\r\nSUB ${reply} 1\r\n`);
  return conversation;
}

class SocketConversation implements NatsConversation {
  readonly socket: Socket;
  readonly greeted: Promise<void>;
  info: Readonly<Record<string, unknown>> = {};
  #bytes: Buffer = Buffer.alloc(0);
  #pongs: Waiter[] = [];
  #replies: Waiter[] = [];
  #greet: () => void = () => undefined;
  #ended: Error | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    this.greeted = new Promise((resolve, reject) => {
      this.#greet = resolve;
      socket.once("close", () => reject(this.#ended ?? closed()));
    });
    this.greeted.catch(() => undefined);
    socket.on("data", (bytes) => this.#read(bytes));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(closed()));
  }

  async ping(): Promise<void> {
    await this.#ask(this.#pongs, "PING\r\n");
  }

  async request(subject: string, body?: object): Promise<Readonly<Record<string, unknown>>> {
    const bytes = body === undefined ? "" : JSON.stringify(body);
    const text = await this.#ask(this.#replies, `PUB ${subject} ${reply} ${Buffer.byteLength(bytes)}\r\n${bytes}\r\n`);
    return JSON.parse(text) as Record<string, unknown>;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #ask(waiters: Waiter[], command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      waiters.push({ resolve, reject });
      this.socket.write(command);
    });
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (let end = this.#bytes.indexOf("\r\n"); end !== -1; end = this.#bytes.indexOf("\r\n")) {
      const line = this.#bytes.toString("utf8", 0, end);
      const size = /^H?MSG .* (\d+)$/.exec(line)?.[1];
      const next = end + 2 + (size === undefined ? 0 : Number(size) + 2);
      if (this.#bytes.length < next) return;
      const payload = this.#bytes.toString("utf8", end + 2, next - 2);
      this.#bytes = this.#bytes.subarray(next);
      this.#obey(line, payload);
    }
  }

  #obey(line: string, payload: string): void {
    if (line.startsWith("INFO ")) {
      this.info = JSON.parse(line.slice(5)) as Record<string, unknown>;
      this.#greet();
    } else if (line === "PING") this.socket.write("PONG\r\n");
    else if (line === "PONG") this.#pongs.shift()?.resolve("");
    else if (line.startsWith("MSG ")) this.#replies.shift()?.resolve(payload);
    else if (line.startsWith("HMSG ")) this.#replies.shift()?.reject(new Error(payload.trim()));
    else if (line.startsWith("-ERR")) this.#end(new Error(line));
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    for (const waiter of [...this.#pongs.splice(0), ...this.#replies.splice(0)]) waiter.reject(this.#ended);
  }
}

function closed(): Error {
  return new Error("The connection to NATS was closed.");
}
