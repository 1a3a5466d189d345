import type { Broker, Duration } from "@taskferry/core";

/** What a broker of one's own looks like from outside. */
export declare function myBroker(options: { url: string; prefix?: string; commandTimeout?: Duration }): Broker;
