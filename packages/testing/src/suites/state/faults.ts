import { expect } from "vitest";
import { briefly, eventuallyServed, interruption, isUnavailable } from "../interruptions.ts";
import { elapse, within } from "../patience.ts";
import { type StateScene, type StateTopic, textOf } from "./state-scene.ts";
import { watch } from "./watch.ts";

const minute = { ttl: 60_000 };

export const stateOutageTopic: StateTopic = {
  name: "outage",
  needs: ["outage"],
  rules: [
    { name: "every call but watch rejects with BROKER_UNAVAILABLE", check: callsReject },
    { name: "watch goes on after it, with a snapshot that replaces all before", check: watchGoesOn },
    { name: "connect rejects with BROKER_UNAVAILABLE, and can be called again", check: connectFails },
  ],
};

export const stateFreezeTopic: StateTopic = {
  name: "half-open",
  needs: ["freeze"],
  rules: [{ name: "no call hangs", check: noCallHangs }],
};

export const stateRestartTopic: StateTopic = {
  name: "restart",
  needs: ["restart"],
  rules: [
    { name: "entries, counters and sets are still there", check: allStay },
    { name: "revisions do not recur after it", check: revisionsGoOn },
  ],
};

/** A call that was sent twice because its reply was lost would count twice, or take its own doing for another's. */
export const stateLostReplyTopic: StateTopic = {
  name: "lost reply",
  needs: ["cutNextReply"],
  rules: [
    { name: "of increment: counted once, or rejected", check: ofIncrement },
    { name: "of a claim by put: never a conflict with one's own write", check: ofClaim },
    { name: "of add: never silent about a member that it added", check: ofAdd },
    { name: "of delete: never false about what it deleted", check: ofDelete },
  ],
};

async function callsReject(scene: StateScene): Promise<void> {
  const outage = interruption(scene, "outage");
  await outage.begin();
  const rejected = Object.entries(scene.callAll(scene.store)).map(async ([name, call]) => {
    await expect(within(call, scene.timing.callTimeout, `${name} to end`), name).rejects.toSatisfy(isUnavailable);
  });
  await Promise.all(rejected);
  await outage.end();
  await eventuallyServed(() => scene.write(scene.key("after"), "after"), scene);
  expect(await scene.text(scene.key("after"))).toBe("after");
}

async function watchGoesOn(scene: StateScene): Promise<void> {
  await scene.write(scene.key("a"), "A");
  const reader = watch(scene);
  await reader.next();
  const outage = interruption(scene, "outage");
  await outage.begin();
  await elapse(briefly);
  await outage.end();
  const other = await eventuallyServed(() => scene.anotherProcess(), scene);
  await eventuallyServed(() => other.put([{ key: scene.key("b"), value: Buffer.from("B") }]), scene);
  await other.delete([{ key: scene.key("a") }]);
  await reader.until((entries) => JSON.stringify(entries) === JSON.stringify({ b: "B" }));
  expect(reader.snapshots, "snapshots, one of them after the gap").toBeGreaterThanOrEqual(2);
}

async function connectFails(scene: StateScene): Promise<void> {
  const store = await scene.harness.connect();
  const outage = interruption(scene, "outage");
  await outage.begin();
  const connecting = within(store.connect(), scene.timing.callTimeout, "connect to fail");
  await expect(connecting).rejects.toSatisfy(isUnavailable);
  await outage.end();
  await eventuallyServed(() => store.connect(), scene);
  expect(await store.members(scene.key("set"))).toEqual([]);
  await store.close();
}

async function noCallHangs(scene: StateScene): Promise<void> {
  const freeze = interruption(scene, "freeze");
  await freeze.begin();
  const ended = Object.entries(scene.callAll(scene.store)).map(([name, call]) =>
    within(Promise.allSettled([call]), scene.timing.callTimeout, `${name} to end`),
  );
  await Promise.all(ended);
}

async function allStay(scene: StateScene): Promise<void> {
  const key = scene.key("kept");
  const revision = await scene.write(key, "entry");
  await scene.store.increment(key, 5, minute);
  await scene.store.add(key, ["member"], minute);
  await scene.harness.restart?.();
  expect(textOf(await eventuallyServed(() => scene.get(key), scene))).toBe("entry");
  expect((await scene.get(key))?.revision).toBe(revision);
  expect(await scene.store.increment(key, 1, minute)).toEqual({ value: 6, added: true });
  expect(await scene.store.members(key)).toEqual(["member"]);
}

async function revisionsGoOn(scene: StateScene): Promise<void> {
  const key = scene.key("a");
  const seen = [await scene.write(key, "first"), await scene.write(key, "second")];
  await scene.store.delete([{ key }]);
  await scene.harness.restart?.();
  seen.push(await eventuallyServed(() => scene.write(key, "third"), scene), await scene.write(key, "fourth"));
  expect(new Set(seen).size, "different revisions").toBe(4);
}

async function cut<T>(scene: StateScene, operation: "put" | "delete" | "increment" | "add", call: () => Promise<T>) {
  await scene.harness.cutNextReply?.(operation);
  const [answer] = await Promise.allSettled([within(call(), scene.timing.callTimeout, `${operation} to end`)]);
  if (answer.status === "rejected") expect(answer.reason, `${operation} with a lost reply`).toSatisfy(isUnavailable);
  return answer.status === "fulfilled" ? answer.value : undefined;
}

async function ofIncrement(scene: StateScene): Promise<void> {
  const key = scene.key("count");
  const answer = await cut(scene, "increment", () => scene.store.increment(key, 1, minute));
  if (answer !== undefined) expect(answer).toEqual({ value: 1, added: true });
  const { value } = await eventuallyServed(() => scene.store.increment(key, 0, minute), scene);
  expect(value, "after one increment of 1").toBe(1);
}

async function ofClaim(scene: StateScene): Promise<void> {
  const put = { key: scene.key("claim"), value: Buffer.from("mine"), expect: "absent" } as const;
  const answer = await cut(scene, "put", () => scene.store.put([put]));
  if (answer !== undefined) expect(answer[0]?.status).toBe("written");
  expect(textOf(await eventuallyServed(() => scene.get(put.key), scene))).toBe("mine");
}

async function ofAdd(scene: StateScene): Promise<void> {
  const set = scene.key("set");
  const answer = await cut(scene, "add", () => scene.store.add(set, ["mine"], { ...minute, max: 1 }));
  if (answer !== undefined) expect(answer).toEqual({ added: ["mine"], size: 1 });
  expect(await eventuallyServed(() => scene.store.members(set), scene)).toEqual(["mine"]);
}

async function ofDelete(scene: StateScene): Promise<void> {
  const key = scene.key("a");
  await scene.write(key, "A");
  const answer = await cut(scene, "delete", () => scene.store.delete([{ key }]));
  if (answer !== undefined) expect(answer).toEqual([true]);
  expect(await eventuallyServed(() => scene.get(key), scene)).toBeUndefined();
}
