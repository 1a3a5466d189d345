import { once } from "node:events";
import { connect, type Socket } from "node:net";

type RedisReply = string | number | null | Error | readonly RedisReply[];

/** A plain connection to Redis that asks one command at a time, over the bare socket. */
export interface RedisConversation extends Disposable {
  readonly socket: Socket;
  /** Sends a command and resolves with its reply; rejects when the reply is an error, or the connection ends first. */
  ask(...words: readonly string[]): Promise<RedisReply>;
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly password?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Connects and gives the password, if there is one. */
export async function converseWithRedis({ host, port, password, signal }: RedisAddress): Promise<RedisConversation> {
  const socket = connect({ host, port, ...(signal && { signal }) });
  await once(socket, "connect");
  const conversation = new SocketConversation(socket);
  if (password !== undefined) await conversation.ask("AUTH", password);
  return conversation;
}

/** What `INFO` and `CLUSTER INFO` answer: lines of `name:value`. */
export async function readFacts(
  redis: RedisConversation,
  command: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const lines = String(await redis.ask(...command)).split("\r\n");
  return Object.fromEntries(
    lines
      .filter((line) => line.includes(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
}

interface Question {
  readonly resolve: (reply: RedisReply) => void;
  readonly reject: (reason: Error) => void;
}

class SocketConversation implements RedisConversation {
  readonly socket: Socket;
  readonly #questions: Question[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #ended: Error | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (bytes) => {
      try {
        this.#read(bytes);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("The connection to Redis was closed.")));
  }

  ask(...words: readonly string[]): Promise<RedisReply> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      this.#questions.push({ resolve, reject });
      this.socket.write(encodeCommand(words));
    });
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (let next = readReply(this.#bytes, 0); next !== undefined; next = readReply(this.#bytes, 0)) {
      this.#bytes = this.#bytes.subarray(next.end);
      const question = this.#questions.shift();
      if (next.reply instanceof Error) question?.reject(next.reply);
      else question?.resolve(next.reply);
    }
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    for (const question of this.#questions.splice(0)) question.reject(this.#ended);
  }
}

function encodeCommand(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
}

interface ReadReply {
  readonly reply: RedisReply;
  readonly end: number;
}

/** Reads the reply that starts there; `undefined` while it is not complete. */
function readReply(bytes: Buffer, start: number): ReadReply | undefined {
  const lineEnd = bytes.indexOf("\r\n", start);
  if (lineEnd === -1) return undefined;
  const line = bytes.toString("utf8", start + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[start] ?? 0)) {
    case "+":
      return { reply: line, end };
    case "-":
      return { reply: new Error(line), end };
    case ":":
      return { reply: Number(line), end };
    case "$":
      return readText({ bytes, start: end, length: Number(line) });
    case "*":
      return readList({ bytes, start: end, length: Number(line) });
    default:
      throw new Error(`Expected a reply of Redis, got ${JSON.stringify(bytes.toString("latin1", start, lineEnd))}.`);
  }
}

interface Sized {
  readonly bytes: Buffer;
  readonly start: number;
  readonly length: number;
}

function readText({ bytes, start, length }: Sized): ReadReply | undefined {
  if (length === -1) return { reply: null, end: start };
  const end = start + length + 2;
  return bytes.length < end ? undefined : { reply: bytes.toString("utf8", start, start + length), end };
}

function readList({ bytes, start, length }: Sized): ReadReply | undefined {
  if (length === -1) return { reply: null, end: start };
  const replies: RedisReply[] = [];
  let end = start;
  while (replies.length < length) {
    const next = readReply(bytes, end);
    if (next === undefined) return undefined;
    replies.push(next.reply);
    end = next.end;
  }
  return { reply: replies, end };
}
