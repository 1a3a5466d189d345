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
  return connect(url, { keepAlive: true, ...socket, noDelay: true, timeout });
}

/** Ends a connection without a word, whatever state it is in. */
export function destroy(model: ChannelModel, reason: Error): void {
  // The driver does not name its socket in its types.
  const { stream } = model.connection as unknown as { readonly stream: Socket };
  stream.destroy(reason);
}

export function onError(emitter: NodeJS.EventEmitter, listener: (error: Error) => void): void {
  emitter.on("error", listener);
  emitter.on("handler-error", listener);
}
