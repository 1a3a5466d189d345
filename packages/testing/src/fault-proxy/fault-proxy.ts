import type { WaitOptions } from "../waiters.ts";
import type { FaultMode } from "./fault-mode.ts";

/**
 * A TCP proxy between a client and a server, that makes the network misbehave.
 *
 * Clients connect to its `url` instead of the server's. It starts in the mode `"pass"`. The words here: the client
 * sends requests, the server sends replies, whatever the protocol calls them; the proxy sees bytes, in the pieces in
 * which the network brought them, and knows nothing of the protocol.
 */
export interface FaultProxy extends AsyncDisposable {
  /** Always `127.0.0.1`. */
  readonly host: string;

  readonly port: number;

  /** The server's URL with the proxy's address in it; `tcp://host:port` when the server was given without one. */
  readonly url: string;

  /** How much went through it since it was started. */
  readonly counts: ProxyCounts;

  /**
   * How it treats connections from now on: those that are open and those to come. What it held back while frozen,
   * delayed or throttled is not lost by a change of mode, but goes on as the new mode says.
   *
   * @throws OptionError `DURATION_INVALID`, `OPTION_INVALID`
   */
  use(mode: FaultMode): void;

  /**
   * Freezes the connections that are open now, for good and whatever the mode: nothing passes, nothing is closed, as
   * when a firewall on the way has forgotten them. New ones are taken as the mode says.
   */
  abandon(): void;

  /** Ends all open connections by RST, on both sides, at once. New ones are taken as the mode says. */
  reset(): void;

  /**
   * Swallows the next reply, on whichever connection it comes: all that the server sends from now on until the client
   * sends again. The connection stays open. Called twice: the next two.
   */
  dropNextReply(): void;

  /**
   * Makes "it was done, but the reply was lost" happen, once: waits for a request that matches, forwards it, swallows
   * the reply, and ends the client's connection by RST. The server's side is closed in good order after it got all that
   * was sent, so it carries out the rest of a pipeline too. `waitFor("cut")` resolves when the server has closed its
   * end: from then on nothing that came over this connection can still be carried out.
   *
   * Called twice: two cuts, one after the other. A connection that ends before the reply comes has used up its cut.
   */
  cutAfterRequest(cut?: CutOptions): void;

  /**
   * Resolves with the next event of that type; events from before the call do not count. So begin to wait, then do
   * what causes the event, then await.
   *
   * @throws `WAIT_TIMED_OUT`, or `PROXY_CLOSED` when the proxy is disposed of first.
   */
  waitFor<T extends ProxyEvent["type"]>(type: T, options?: ProxyWaitOptions<T>): Promise<ProxyEventOf<T>>;

  /** Ends all connections by RST and listens no more. Twice is once. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Which exchange `cutAfterRequest` is about. */
export interface CutOptions {
  /**
   * Given what the client sent on a connection since the last reply there (the last 64 KiB of it), each time more comes.
   * Default: anything matches.
   */
  readonly request?: (bytes: Buffer) => boolean;
  /**
   * Given what the server sent after the request (the last 64 KiB of it), each time more comes. For connections on
   * which other things arrive too. Default: anything matches.
   */
  readonly reply?: (bytes: Buffer) => boolean;
}

/** What happens at the proxy. `connection` counts its connections, from 1. */
export type ProxyEvent =
  /** A client has connected. */
  | { readonly type: "connection"; readonly connection: number }
  /** A client was turned away, in mode `"refuse"`. */
  | { readonly type: "refused" }
  /** Bytes came from the client, in mode `"freeze"` too. */
  | { readonly type: "request"; readonly connection: number; readonly bytes: Buffer }
  /** Bytes came from the server, in mode `"freeze"` too. */
  | { readonly type: "reply"; readonly connection: number; readonly bytes: Buffer }
  /** Bytes of the server were dropped. */
  | { readonly type: "dropped"; readonly connection: number; readonly bytes: Buffer }
  /** `cutAfterRequest` has done its work. */
  | { readonly type: "cut"; readonly connection: number }
  /** Both sides of a connection are closed. */
  | { readonly type: "closed"; readonly connection: number };

export type ProxyEventOf<T extends ProxyEvent["type"]> = Extract<ProxyEvent, { readonly type: T }>;

export interface ProxyWaitOptions<T extends ProxyEvent["type"]> extends WaitOptions {
  /** Waits for an event of which this is true. Default: any. */
  readonly match?: (event: ProxyEventOf<T>) => boolean;
}

export interface ProxyCounts {
  readonly connections: {
    /** Open right now. */
    readonly open: number;
    /** Taken since the start, those refused not included. */
    readonly total: number;
    readonly refused: number;
  };
  readonly bytes: {
    /** Forwarded to the server. */
    readonly requests: number;
    /** Forwarded to clients. */
    readonly replies: number;
    /** Sent by the server and forwarded to nobody. */
    readonly dropped: number;
  };
}
