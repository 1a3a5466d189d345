import { describe, expect, test } from "vitest";
import { createEmitter } from "../src/events.ts";
import { defineTask, type WorkerEvent } from "../src/index.ts";
import { stage } from "./worker/setup.ts";

/** An emitter of numbers, and what its listeners threw. */
function numbers() {
  const errors: unknown[] = [];
  const emitter = createEmitter<number>((error) => errors.push(error));
  const emit = (...values: number[]): void => {
    for (const value of values) emitter.emit(() => value);
  };
  return { emitter, emit, errors };
}

async function read<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of stream) values.push(value);
  return values;
}

describe("event streams", () => {
  test("give what comes from their making on, in order, to the end", async () => {
    const { emitter, emit } = numbers();
    emit(0);
    const stream = emitter.stream();
    expect(emitter.isHeard).toBe(true);
    emit(1, 2);
    const waiting = Promise.all([stream.next(), stream.next(), stream.next(), stream.next()]);
    emit(3);
    emitter.end();
    expect((await waiting).map(({ value }) => value)).toEqual([1, 2, 3, undefined]);
    expect(emitter.isHeard).toBe(false);
    expect(await read(emitter.stream())).toEqual([]);
  });

  test("what waits when the source ends can still be read", async () => {
    const { emitter, emit } = numbers();
    const stream = emitter.stream();
    emit(1, 2);
    emitter.end();
    expect(await read(stream)).toEqual([1, 2]);
  });

  test("a slow reader loses the oldest, and is told how many", async () => {
    const { emitter, emit } = numbers();
    const stream = emitter.stream({ buffer: 3 });
    emit(...Array.from({ length: 100 }, (_, index) => index));
    expect(stream.dropped).toBe(97);
    expect((await stream.next()).value).toBe(97);
    emit(100, 101);
    expect(stream.dropped).toBe(98);
    emitter.end();
    expect(await read(stream)).toEqual([99, 100, 101]);
  });

  test("an aborted signal ends one stream alone", async () => {
    const { emitter, emit } = numbers();
    const controller = new AbortController();
    const ended = read(emitter.stream({ signal: controller.signal }));
    const other = emitter.stream();
    controller.abort();
    expect(await ended).toEqual([]);
    emit(1);
    expect((await other.next()).value).toBe(1);
    expect(await read(emitter.stream({ signal: controller.signal }))).toEqual([]);
  });

  test("leaving the loop stops listening", async () => {
    const { emitter, emit } = numbers();
    const stream = emitter.stream();
    emit(1, 2);
    for await (const value of stream) if (value === 1) break;
    expect(emitter.isHeard).toBe(false);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  test.each([0, -1, 1.5, Number.NaN])("a buffer of %d is refused", (buffer) => {
    expect(() => numbers().emitter.stream({ buffer })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  test("a listener that throws harms neither the others nor the streams", async () => {
    const { emitter, emit, errors } = numbers();
    emitter.on(() => {
      throw new Error("mine");
    });
    const stream = emitter.stream();
    const heard: number[] = [];
    emitter.on((value) => void heard.push(value));
    emit(1);
    expect(heard).toEqual([1]);
    expect((await stream.next()).value).toBe(1);
    expect(errors).toMatchObject([{ message: "mine" }]);
  });

  test("those of a worker and of a client end with them", async () => {
    const { client, worker } = await stage([defineTask("tick").handler(() => undefined)], { start: false });
    const ofWorker = read<WorkerEvent>(worker.events());
    const ofClient = read(client.events());
    await worker.start();
    await (await client.enqueue(defineTask("tick"), undefined, { id: "a" })).result();
    await worker.stop();
    await client.close();
    const types = (await ofWorker).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(["worker.started", "task.started", "task.succeeded"]));
    expect(types.at(-1)).toBe("worker.stopped");
    expect(await ofClient).toContainEqual(expect.objectContaining({ type: "task.enqueued", id: "a" }));
  });

  test("those of a worker that could not start end", async () => {
    const { worker } = await stage([], { start: false });
    const events = read(worker.events());
    await expect(worker.start()).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
    expect(await events).toEqual([]);
  });
});
