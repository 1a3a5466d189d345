import type { Options } from "amqplib";

/** Bytes on their way to an exchange. */
export interface Parcel {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly options: Options.Publish;
}

/**
 * What became of a parcel. `confirmed`: the server has it. `unroutable`: no queue took it. `refused`: its queue is full.
 * `unknown`: it was sent, and no answer came. `unsent`: it was not.
 */
export type Fate = "confirmed" | "unroutable" | "refused" | "unknown" | "unsent";
