import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createId, newestIdTime, OwnOutcomes, type StoredOutcome } from "../src/index.ts";

/** Milliseconds between looks at whether it is worth it. */
const review = 5_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** With a feed that stands for a subscription: it opens and closes when it is told to. */
function listening({ isAwaited = () => false }: { readonly isAwaited?: () => boolean } = {}) {
  const told = { opened: 0, closed: 0, ended: 0 };
  const own = new OwnOutcomes({
    open: () => {
      told.opened += 1;
      let isOpen = true;
      const close = (): void => {
        isOpen = false;
        told.closed += 1;
      };
      return { isOpen: () => isOpen, close };
    },
    isAwaited,
    onEnd: () => {
      told.ended += 1;
    },
  });
  return { own, told };
}

/** An id that is later than all that were made before. */
function laterId(): string {
  vi.setSystemTime(newestIdTime() + 1);
  return createId();
}

function outcomeOf(id: string): StoredOutcome {
  const times = { enqueuedAt: 1, startedAt: 1, finishedAt: 1 };
  return { id, task: "t", attempt: 0, run: 0, ...times, worker: "w", ttl: 60_000, status: "succeeded" };
}

const heard = { bytes: 100, wasAwaited: true };

/** Listens, and the server has said so. */
function confirmed(options?: Parameters<typeof listening>[0]) {
  const { own, told } = listening(options);
  own.want(laterId());
  own.confirm(own.turn);
  return { own, told };
}

test("it listens from the first wait for a task of its own on, and for no other", () => {
  const { own, told } = listening();
  own.want("report-1");
  own.want(randomUUID());
  own.want(`${createId().slice(0, -12)}0123456789ab`);
  expect(told.opened).toBe(0);
  own.want(createId());
  own.want(createId());
  expect(told.opened).toBe(1);
  expect(own.hears(createId())).toBe(true);
  expect(own.hears("report-1")).toBe(false);
});

test("it covers what was made after the server had come by the subscription", () => {
  const { own } = listening();
  const first = laterId();
  own.want(first);
  expect(own.covers(laterId())).toBe(false);
  const before = laterId();
  own.confirm(own.turn);
  expect(own.covers(before)).toBe(false);
  expect(own.covers(laterId())).toBe(true);
});

test("an answer to what was asked over an earlier connection confirms nothing", () => {
  const { own } = listening();
  own.want(laterId());
  const { turn } = own;
  own.interrupt();
  own.confirm(turn);
  expect(own.covers(laterId())).toBe(false);
  own.confirm(own.turn);
  expect(own.covers(laterId())).toBe(true);
});

test("what was heard is kept for a second, and counts as missed then", () => {
  const { own } = confirmed();
  const id = laterId();
  own.keep(outcomeOf(id), heard);
  vi.advanceTimersByTime(900);
  expect(own.recall(id)?.id).toBe(id);
  expect(own.covers(id)).toBe(true);
  vi.advanceTimersByTime(200);
  expect(own.recall(id)).toBeUndefined();
  expect(own.covers(id)).toBe(false);
  expect(own.covers(laterId())).toBe(true);
});

test.each([
  ["a thousand", { count: 1_001, bytes: 100 }],
  ["four megabytes", { count: 9, bytes: 512 * 1024 }],
])("of more than %s the oldest count as missed", (_, { count, bytes }) => {
  const { own } = confirmed();
  const ids = Array.from({ length: count }, laterId);
  for (const id of ids) own.keep(outcomeOf(id), { ...heard, bytes });
  const [first = "", second = ""] = ids;
  expect(own.recall(first)).toBeUndefined();
  expect(own.covers(first)).toBe(false);
  expect(own.recall(second)?.id).toBe(second);
  expect(own.covers(second)).toBe(true);
});

test("what was removed is forgotten, and what it took with it", () => {
  const { own } = confirmed();
  const [first, second] = [laterId(), laterId()];
  own.keep(outcomeOf(first), heard);
  for (let round = 0; round < 20; round += 1) {
    own.keep(outcomeOf(second), { ...heard, bytes: 1024 * 1024 });
    own.forget(second);
  }
  expect(own.recall(second)).toBeUndefined();
  expect(own.recall(first)?.id).toBe(first);
});

test("it rests for half a minute when it hears mostly what nobody waits for", () => {
  const { own, told } = confirmed({ isAwaited: () => true });
  for (let index = 0; index < 1_100; index += 1) own.keep(outcomeOf(laterId()), { bytes: 1, wasAwaited: false });
  vi.advanceTimersByTime(review);
  expect(told).toEqual({ opened: 1, closed: 1, ended: 1 });
  expect(own.covers(laterId())).toBe(false);
  vi.advanceTimersByTime(5 * review);
  own.want(laterId());
  expect(told.opened).toBe(1);
  vi.advanceTimersByTime(review);
  own.want(laterId());
  expect(told.opened).toBe(2);
});

test("it goes on where many wait for their own", () => {
  const { own, told } = confirmed();
  for (let index = 0; index < 2_000; index += 1) {
    const id = laterId();
    own.want(id);
    own.keep(outcomeOf(id), { bytes: 1, wasAwaited: index % 10 === 0 });
  }
  vi.advanceTimersByTime(review);
  expect(told).toEqual({ opened: 1, closed: 0, ended: 0 });
});

test("it goes on where somebody waited for what came", () => {
  const { own, told } = confirmed();
  for (let index = 0; index < 1_100; index += 1) own.keep(outcomeOf(laterId()), heard);
  vi.advanceTimersByTime(review);
  expect(told).toEqual({ opened: 1, closed: 0, ended: 0 });
});

test("it ends once nobody has waited for a while, and begins again", () => {
  const waiting = new Set<string>();
  const { own, told } = confirmed({ isAwaited: () => waiting.size > 0 });
  waiting.add("one");
  vi.advanceTimersByTime(3 * review);
  expect(told.closed).toBe(0);
  waiting.clear();
  vi.advanceTimersByTime(review);
  expect(told).toEqual({ opened: 1, closed: 1, ended: 0 });
  expect(vi.getTimerCount()).toBe(0);
  own.want(laterId());
  expect(told.opened).toBe(2);
});

test("a subscription that was refused is not asked for again at once, and closing leaves nothing", () => {
  const { own, told } = listening();
  own.want(laterId());
  own.giveUp();
  own.want(laterId());
  expect(told).toEqual({ opened: 1, closed: 1, ended: 1 });
  own.close();
  expect(vi.getTimerCount()).toBe(0);
});
