import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { Connectable } from "@taskferry/core";
import {
  createFaultProxy,
  type FaultProxy,
  type HarnessRequest,
  type RabbitmqServer,
  type RabbitmqOptions as ServerOptions,
  startRabbitmq,
} from "@taskferry/testing";
import { connect } from "amqplib";
import { afterAll, beforeAll } from "vitest";
import type { RabbitmqOptions } from "../src/index.ts";
import { Names } from "../src/topology/names.ts";

/** A private RabbitMQ, for a file of tests: it takes some seconds to start. */
export function privateRabbitmq(options: ServerOptions = {}): { readonly current: () => RabbitmqServer } {
  let server: RabbitmqServer | undefined;
  beforeAll(async () => {
    server = await startRabbitmq(options);
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);
  return {
    current: () => {
      if (server === undefined) throw new Error("RabbitMQ has not been started");
      return server;
    },
  };
}

/** Short, so that a connection that does not answer is given up within a test. */
const impatient = { commandTimeout: "1s", heartbeat: "1s" } as const;

/** For a server that is there, on a machine that may be busy. */
const patient = { commandTimeout: "10s" } as const;

interface Place {
  readonly url: string;
  readonly namespace: string;
}

type Method = readonly [classId: number, methodId: number];

const qos: Method = [60, 10];
const consume: Method = [60, 20];
const publish: Method = [60, 40];

/**
 * By which methods of AMQP an operation is known. Acknowledgements have no answer: the limit that is set behind them has
 * one. A message is sent without being asked for: it goes with what is lost after a subscription or a settlement.
 */
const marks = {
  publish: [publish],
  take: [consume, qos],
  extend: [qos],
  settle: [qos],
  store: [publish],
  get: [],
  delete: [],
} as const;

/** What a suite may do to queues of their own, behind proxies: one for each process, so that one can be cut off alone. */
export async function createRabbitmqHarness<TValue extends Connectable>(
  server: RabbitmqServer,
  { interrupts }: HarnessRequest,
  make: (place: RabbitmqOptions & Place) => TValue,
) {
  const namespace = `t${randomUUID()}`;
  const first = await createFaultProxy(server);
  const proxies = [first];
  const proxyOf = new Map<TValue, FaultProxy>();
  const each = (change: (proxy: FaultProxy) => void): void => {
    for (const proxy of proxies) change(proxy);
  };
  return {
    namespace,
    connect: async () => {
      const proxy = proxyOf.size === 0 ? first : await createFaultProxy(server);
      if (proxy !== first) proxies.push(proxy);
      const value = make({ url: proxy.url, namespace, ...(interrupts ? impatient : patient) });
      proxyOf.set(value, proxy);
      return value;
    },
    dispose: async () => {
      for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
    },
    restart: () => restartLater(server),
    outage: { begin: async () => each(refuse), end: async () => each((proxy) => proxy.use("pass")) },
    freeze: {
      begin: async () => each((proxy) => proxy.use("freeze")),
      end: async () => each((proxy) => proxy.use("pass")),
    },
    cutNextReply: async (operation: keyof typeof marks) => cutReplyTo(first, operation),
    crash: async (value: TValue) => refuse(proxyOf.get(value) ?? first),
  };
}

/**
 * Milliseconds until RabbitMQ 3.10 has written down that a quorum queue exists. One that is younger when the server is
 * killed comes back empty, whatever was confirmed.
 */
export const registration = 4_000;

async function restartLater(server: RabbitmqServer): Promise<void> {
  await wait(registration);
  await server.kill();
  await server.start();
}

/** Has the proxy swallow the next reply to an operation. */
export function cutReplyTo(proxy: FaultProxy, operation: keyof typeof marks): void {
  proxy.cutAfterRequest({ request: (bytes) => marks[operation].some((method) => hasMethod(bytes, method)) });
}

/** Puts bytes into a queue as another program would. */
export async function insertRaw({ url, namespace }: Place, queue: string, bytes: Uint8Array): Promise<void> {
  const model = await connect(url, { noDelay: true });
  const channel = await model.createConfirmChannel();
  const name = new Names(namespace).queue(queue, 1);
  let wasReturned = false;
  channel.on("return", () => {
    wasReturned = true;
  });
  channel.sendToQueue(name, Buffer.from(bytes), { persistent: true, mandatory: true });
  await channel.waitForConfirms();
  await model.close();
  if (wasReturned) throw new Error(`Expected the queue ${name} to be there.`);
}

function refuse(proxy: FaultProxy): void {
  proxy.use("refuse");
  proxy.reset();
}

/** Whether frames hold a method. What comes may begin in the middle of a frame. */
function hasMethod(bytes: Buffer, [classId, methodId]: Method): boolean {
  for (let at = bytes.indexOf(1); at >= 0 && at + 11 <= bytes.length; at = bytes.indexOf(1, at + 1)) {
    if (bytes.readUInt16BE(at + 7) === classId && bytes.readUInt16BE(at + 9) === methodId) return true;
  }
  return false;
}
