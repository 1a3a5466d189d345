import { connect } from "@nats-io/transport-node";
import {
  createFaultProxy,
  type FaultProxy,
  type HarnessRequest,
  type NatsServerOptions,
  type PrivateServer,
  startNats,
} from "@taskferry/testing";
import { afterAll, beforeAll } from "vitest";
import { nats, natsState } from "../src/index.ts";
import { Layout, middle } from "../src/jetstream/layout.ts";

/** A NATS server of 2.12 or later, where there is one. */
export const laterNats = process.env["TASKFERRY_NATS_LATER"];

/** A private NATS with JetStream on disk, for a file of tests. */
export function privateNats(options: NatsServerOptions = {}): { readonly current: () => PrivateServer } {
  let server: PrivateServer | undefined;
  beforeAll(async () => {
    server = await startNats(options);
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });
  return {
    current: () => {
      if (server === undefined) throw new Error("NATS has not been started");
      return server;
    },
  };
}

/** Milliseconds for a server that is there, beside other tests. */
const patience = 20_000;

/** By what an exchange is known: something in the request, something in the reply. */
export interface Marks {
  readonly request: readonly string[];
  readonly reply: string;
}

/** What answers have in common. */
export const stored = "MSG _INBOX.";

export const brokerMarks = {
  publish: { request: ["PUB taskferry.q.", "PUB taskferry.delay.", "PUB taskferry.at."], reply: stored },
  take: { request: ["CONSUMER.MSG.NEXT."], reply: "$JS.ACK." },
  extend: { request: ["+WPI"], reply: stored },
  settle: { request: ["+ACK", "+TERM", "PUB taskferry."], reply: stored },
} as const satisfies Readonly<Record<string, Marks>>;

/** What a suite may do to an empty NATS. Each value has a proxy of its own before the server, so that it can be cut off. */
export async function createNatsHarness<TValue extends object, TOperation extends string>(
  server: PrivateServer,
  { interrupts }: HarnessRequest,
  parts: {
    readonly make: (place: { readonly url: string; readonly commandTimeout: string }) => TValue;
    readonly marks: Readonly<Record<TOperation, Marks>>;
  },
) {
  await emptied(server);
  const proxies = new Map<TValue, FaultProxy>();
  const cutOff = new Set<FaultProxy>();
  const use = (mode: "pass" | "freeze"): void => {
    for (const proxy of proxies.values()) if (!cutOff.has(proxy)) proxy.use(mode);
  };
  return {
    connect: async () => {
      const proxy = await createFaultProxy(server);
      const value = parts.make({ url: proxy.url, commandTimeout: interrupts ? "1s" : "10s" });
      proxies.set(value, proxy);
      return value;
    },
    dispose: async () => {
      for (const proxy of proxies.values()) await proxy[Symbol.asyncDispose]();
    },
    restart: () => server.kill().then(() => server.start()),
    outage: {
      begin: async () => {
        for (const proxy of proxies.values()) refuse(proxy);
      },
      end: async () => use("pass"),
    },
    freeze: { begin: async () => use("freeze"), end: async () => use("pass") },
    crash: async (value: TValue) => {
      const proxy = proxies.get(value);
      if (proxy === undefined) throw new Error("Expected a value that this harness made.");
      cutOff.add(proxy);
      refuse(proxy);
    },
    cutNextReply: async (operation: TOperation) => {
      const [first] = proxies.values();
      if (first !== undefined) cutReplyTo(first, parts.marks[operation]);
    },
  };
}

/** For the suite of brokers. */
export async function createBrokerHarness(server: PrivateServer, request: HarnessRequest) {
  const harness = await createNatsHarness(server, request, { make: nats, marks: brokerMarks });
  return { ...harness, insertRaw: (queue: string, bytes: Uint8Array) => insertRaw(server.url, queue, bytes) };
}

/** For the suite of state stores. */
export function createStateHarness(server: PrivateServer, request: HarnessRequest) {
  const written = { request: ["PUB $KV.taskferry_state."], reply: stored };
  return createNatsHarness(server, request, {
    make: natsState,
    marks: { put: written, delete: written, increment: written, add: written, remove: written },
  });
}

/** Has the proxy swallow the next reply to what has one of the marks. */
export function cutReplyTo(proxy: FaultProxy, { request, reply }: Marks): void {
  proxy.cutAfterRequest({
    request: (bytes) => request.some((mark) => bytes.includes(mark)),
    reply: (bytes) => bytes.includes(reply),
  });
}

/** Puts bytes into a queue as another program would. */
export async function insertRaw(url: string, queue: string, bytes: Uint8Array): Promise<void> {
  const { hostname, port } = new URL(url);
  const connection = await connect({ servers: `${hostname}:${port}` });
  await connection.request(new Layout("taskferry").ready(queue, middle), bytes, { timeout: patience });
  await connection.close();
}

function refuse(proxy: FaultProxy): void {
  proxy.use("refuse");
  proxy.reset();
}

/** Removes all streams. */
async function emptied({ host, port }: PrivateServer): Promise<void> {
  const connection = await connect({ servers: `${host}:${port}` });
  const reply = await connection.request("$JS.API.STREAM.NAMES", "", { timeout: patience });
  const { streams } = reply.json<{ readonly streams: readonly string[] | null }>();
  for (const stream of streams ?? []) {
    await connection.request(`$JS.API.STREAM.DELETE.${stream}`, "", { timeout: patience });
  }
  await connection.close();
}
