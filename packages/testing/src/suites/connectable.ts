import type { Connectable } from "@taskferry/core";
import { expect } from "vitest";
import { eventually, within } from "./patience.ts";
import type { Rule, Scene } from "./rulebook.ts";

/** How the rules of lifecycle see a scene, whichever contract it is about. */
export interface ConnectableScene<TValue extends Connectable> extends Scene {
  readonly timing: { readonly slack: number };
  /** A value of its own, not connected yet. */
  fresh(): Promise<TValue>;
  /** Calls each method once and answers their promises by name. */
  callAll(value: TValue): Readonly<Record<string, Promise<unknown>>>;
}

const kept = ["TCPSocketWrap", "TLSWrap", "PipeWrap", "MessagePort", "Worker", "Timeout"];

/** The rules of `Connectable`. */
export function lifecycleRules<TValue extends Connectable, TScene extends ConnectableScene<TValue>>(): Rule<
  TScene,
  never
>[] {
  return [
    { name: "openings are counted, and the last close closes", check: counted },
    { name: "a close too many does nothing", check: closeTooMany },
    { name: "many openings and closings at the same moment", check: atTheSameMoment },
    { name: "after the last close, connect opens again", check: opensAgain },
    { name: "every call after the last close rejects with CLOSED", check: rejectsAfterClose },
    { name: "`await using` closes", check: disposes },
    { name: "nothing keeps the process alive after the last close", check: keepsNothingAlive },
  ];
}

async function expectOpen<TValue extends Connectable>(scene: ConnectableScene<TValue>, value: TValue): Promise<void> {
  for (const [name, call] of Object.entries(scene.callAll(value))) {
    await expect(within(call, 30_000, `${name} to end`), `${name} while open`).resolves.toSatisfy(() => true);
  }
}

async function expectClosed<TValue extends Connectable>(scene: ConnectableScene<TValue>, value: TValue): Promise<void> {
  const calls = Object.entries(scene.callAll(value)).map(async ([name, call]) => {
    await expect(within(call, scene.timing.slack, `${name} to end`), `${name} after close`).rejects.toMatchObject({
      code: "CLOSED",
    });
  });
  await Promise.all(calls);
}

async function counted<TValue extends Connectable>(scene: ConnectableScene<TValue>): Promise<void> {
  const value = await scene.fresh();
  await value.connect();
  await value.connect();
  await value.close();
  await expectOpen(scene, value);
  await value.close();
  await expectClosed(scene, value);
}

async function closeTooMany<TValue extends Connectable>(scene: ConnectableScene<TValue>): Promise<void> {
  const value = await scene.fresh();
  await value.connect();
  await value.close();
  await value.close();
  await value.close();
  await value.connect();
  await expectOpen(scene, value);
  await value.close();
  await expectClosed(scene, value);
}

async function atTheSameMoment<TValue extends Connectable>(scene: ConnectableScene<TValue>): Promise<void> {
  const value = await scene.fresh();
  await Promise.all([value.connect(), value.connect(), value.connect()]);
  await Promise.all([value.close(), value.connect(), value.close(), value.close()]);
  await expectOpen(scene, value);
  await Promise.all([value.close(), value.close()]);
  await expectClosed(scene, value);
}

async function opensAgain<TValue extends Connectable>(scene: ConnectableScene<TValue>): Promise<void> {
  const value = await scene.fresh();
  for (let turn = 0; turn < 3; turn += 1) {
    await value.connect();
    await expectOpen(scene, value);
    await value.close();
  }
}

async function rejectsAfterClose<TValue extends Connectable>(scene: ConnectableScene<TValue>): Promise<void> {
  const value = await scene.fresh();
  await value.connect();
  await expectOpen(scene, value);
  await value.close();
  await expectClosed(scene, value);
}

async function disposes<TValue extends Connectable>(scene: ConnectableScene<TValue>): Promise<void> {
  const value = await scene.fresh();
  await value.connect();
  await value[Symbol.asyncDispose]();
  await expectClosed(scene, value);
}

async function keepsNothingAlive<TValue extends Connectable>(scene: ConnectableScene<TValue>): Promise<void> {
  const before = activeResources();
  const value = await scene.fresh();
  await value.connect();
  await expectOpen(scene, value);
  await value.close();
  const more = async () => {
    const after = activeResources();
    return kept.filter((kind) => (after.get(kind) ?? 0) > (before.get(kind) ?? 0));
  };
  await eventually(more, (kinds) => kinds.length === 0, scene.timing.slack);
}

/** How many of each kind keep the event loop alive. */
function activeResources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
