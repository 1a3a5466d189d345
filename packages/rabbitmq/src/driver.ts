import type { Socket } from "node:net";
import { parseDuration, redactUrl } from "@taskferry/core";
import { type ChannelModel, connect } from "amqplib";
import { type RabbitmqConnectionOptions, readableUrl } from "./options.ts";

const defaultUrl = "amqp://guest:guest@127.0.0.1:5672";

/** What one connection is made with. */
export interface Dialling {
  readonly url: string;
  readonly address: string;
  /** Milliseconds for one call. */
  readonly timeout: number;
  readonly socket: RabbitmqConnectionOptions["socket"];
}

/** @throws ConfigurationError `URL_INVALID`; OptionError `DURATION_INVALID`. */
export function readDialling(options: RabbitmqConnectionOptions): Dialling {
  const url = new URL(readableUrl(options.url ?? defaultUrl));
  const heartbeat = parseDuration(options.heartbeat ?? "10s", "heartbeat");
  if (!url.searchParams.has("heartbeat"))
    url.searchParams.set("heartbeat", String(Math.max(1, Math.round(heartbeat / 1_000))));
  return {
    url: url.href,
    address: redactUrl(url.href).replace(/^amqps?:\/\/(\*\*\*@)?/, ""),
    timeout: parseDuration(options.commandTimeout ?? "10s", "commandTimeout"),
    socket: options.socket,
  };
}

/** One open connection. Without `noDelay` each answer would wait 40 ms for the next segment. */
export async function dial({ url, timeout, socket }: Dialling): Promise<ChannelModel> {
  const model = await connect(url, { keepAlive: true, ...socket, noDelay: true, timeout });
  writeTogether(socketOf(model));
  writeSoon(model);
  return model;
}

/** Milliseconds for what was written last to leave. */
const longestEnding = 1_000;

/**
 * To be told of a connection that ended. The driver closes its own side and waits for the other one, for ever where that is
 * gone without a word: no process that has such a socket ends.
 */
export function letGo(model: ChannelModel): void {
  const socket = socketOf(model);
  const timer = setTimeout(() => socket.destroy(), longestEnding).unref();
  socket.once("close", () => clearTimeout(timer));
  socket.destroySoon();
}

/** Ends a connection without a word, whatever state it is in. */
export function destroy(model: ChannelModel, reason: Error): void {
  socketOf(model).destroy(reason);
}

/** The driver writes frame by frame, each with a call to the system: those of one moment go in one. */
function writeTogether(socket: Socket): void {
  const write = socket.write.bind(socket) as (...parts: unknown[]) => boolean;
  socket.write = (...parts: unknown[]): boolean => {
    if (socket.writableCorked === 0) {
      socket.cork();
      process.nextTick(() => socket.uncork());
    }
    return write(...parts);
  };
}

/**
 * The driver lets what it sends wait for an immediate, and so for all that is coming in: a server that has sent as much as it
 * may would learn only after that what of it is acknowledged.
 */
function writeSoon(model: ChannelModel): void {
  const { muxer } = model.connection as unknown as { readonly muxer: Muxer };
  // Another version of the driver may have another way; then its own pace will do.
  if (typeof muxer?._scheduleRead !== "function" || typeof muxer._readIncoming !== "function") return;
  let isScheduled = false;
  muxer._scheduleRead = () => {
    if (isScheduled) return;
    isScheduled = true;
    process.nextTick(() => {
      isScheduled = false;
      muxer._readIncoming();
    });
  };
}

/** What the driver has, and does not name in its types. */
interface Muxer {
  _scheduleRead: () => void;
  readonly _readIncoming: () => void;
}

/** The driver does not name its socket in its types. */
function socketOf(model: ChannelModel): Socket {
  return (model.connection as unknown as { readonly stream: Socket }).stream;
}

export function onError(emitter: NodeJS.EventEmitter, listener: (error: Error) => void): void {
  emitter.on("error", listener);
  emitter.on("handler-error", listener);
}
