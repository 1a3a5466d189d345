// What the samples of the documentation leave to their reader: names of the packages without their import, and names of
// an application. Each has the type that it would have there.

import type { AsyncLocalStorage as Storage } from "node:async_hooks";
import type * as core from "@taskferry/core";
import type * as plugin from "@taskferry/fastify";
import type * as suites from "@taskferry/testing";
import type * as users from "@taskferry/testing/users";
import type { FastifyInstance } from "fastify";
import type * as mine from "./my-broker.ts";
import type standInConfig from "./taskferry.config.ts";
import type * as standInTasks from "./tasks.ts";

type Config = typeof standInConfig;
type Pool = { begin(): Promise<{ commit(): Promise<void>; rollback(): Promise<void> }>; end(): Promise<void> };

declare global {
  // Of the packages
  type Middleware = core.Middleware;
  const circuitBreaker: typeof core.circuitBreaker;
  const createClient: typeof core.createClient;
  const createScheduler: typeof core.createScheduler;
  const createWorker: typeof core.createWorker;
  const defineConfig: typeof core.defineConfig;
  const defineSchedule: typeof core.defineSchedule;
  const defineTask: typeof core.defineTask;
  const ed25519Key: typeof core.ed25519Key;
  const hmacKey: typeof core.hmacKey;
  const idempotency: typeof core.idempotency;
  const logging: typeof core.logging;
  const provide: typeof core.provide;
  const retryByError: typeof core.retryByError;
  const signatures: typeof core.signatures;
  const silentLogger: typeof core.silentLogger;
  const taskferry: typeof plugin.taskferry;
  const createTestApp: typeof users.createTestApp;
  const assertTotalQueue: typeof suites.assertTotalQueue;
  const createFaultProxy: typeof suites.createFaultProxy;
  const openHistory: typeof suites.openHistory;
  const spawnProcess: typeof suites.spawnProcess;
  const AsyncLocalStorage: typeof Storage;

  // Of an application
  const config: Config;
  const client: core.ConfiguredClient<Config>;
  const worker: core.Worker;
  const broker: core.Broker;
  const handle: core.Handle<{ path: string }>;
  const clock: users.FakeClock;
  const app: FastifyInstance & users.TestApp;
  const id: string;
  const other: string;
  const url: string;
  const secret: string;
  const webPem: string;
  const workerPem: string;
  const directory: string;
  const signal: AbortSignal;
  const input: { path: string; width: number };
  const user: { id: string; zone: string; email: string };
  class NotFoundError extends Error {}
  const resize: typeof standInTasks.resize;
  const welcome: typeof standInTasks.welcome;
  const task: typeof standInTasks.resize;
  const onResize: core.TaskHandler<{ path: string; width: number }, { path: string }>;
  const onOrder: core.Handler;
  const onSignUp: core.Handler;
  const onMail: core.Handler;
  const onRemind: core.Handler;
  const signUp: core.Task<{ name: string }, { name: string }, void, void>;
  const order: core.Task<{ id: string }, { id: string }, void, void>;
  const invoice: core.Task<{ order: string }, { order: string }, void, void>;
  const report: core.Task<{ of: string }, { of: string }, void, void>;
  const clean: core.Task<void, void, void, void>;
  const announce: core.Task<{ to: string }, { to: string }, void, void>;
  const digest: core.Task<{ id: string }, { id: string }, void, void>;
  const remind: typeof standInTasks.resize;
  const nightly: core.Schedule;
  const fetchPages: core.Task<{ site: string }, { site: string }, string[], string[]>;
  const countWords: core.Task<string, string, number, number>;
  const addUp: core.Task<core.GroupResults<readonly number[]>, core.GroupResults<readonly number[]>, number, number>;
  const store: core.Task<number, number, void, void>;
  const connect: (url?: string) => Promise<Pool>;
  const db: core.Provider<Pool, "worker">;
  const fakePool: Pool;
  const mailer: core.Provider<{ send(): Promise<void> }, "worker">;
  const fakeMailer: { send(): Promise<void> };
  const authorize: (request: { headers: object }, asked: { id: string; action: string }) => boolean;
  const save: (body: unknown) => Promise<{ email: string }>;
  const sendWelcome: (user: { email: string }, signal: AbortSignal) => Promise<void>;
  const warmCache: (signal: AbortSignal) => Promise<void>;
  const alert: (...told: unknown[]) => void;
  const pino: () => core.Logger;
  const respondLater: () => void;
  const withHeader: (outgoing: core.OutgoingMessage, name: string, value?: string) => core.OutgoingMessage;

  // Of who tests a broker
  const myBroker: typeof mine.myBroker;
  const redis: suites.PrivateServer;
  const createHarness: Parameters<typeof suites.testBroker>[0]["create"];
  const pushRaw: (at: string | undefined, queue: string, bytes: Uint8Array) => Promise<void>;
  const commandOf: Readonly<Record<suites.BrokerOperation, string>>;
  const history: suites.HistoryWriter;
}
