import { memory, memoryState, type StateStore } from "@taskferry/core";
import type { FastifyRequest } from "fastify";
import { describe, expect, test } from "vitest";
import type { Access } from "../src/index.ts";
import { boom, hang, readEvents, serve, square, steps } from "./application.ts";

/** A state store; each promise resolves when a watch of it ends. */
function watchWatches() {
  const watched = new Set<Promise<void>>();
  const state = new Proxy(memoryState(), {
    get: (target, name: keyof StateStore) => {
      const member = target[name];
      if (name !== "watch") return typeof member === "function" ? member.bind(target) : member;
      return ((prefix, signal) => {
        if (prefix[0] === "progress")
          watched.add(new Promise((resolve) => signal.addEventListener("abort", () => resolve())));
        return target.watch(prefix, signal);
      }) satisfies StateStore["watch"];
    },
  });
  return { state, watched };
}

const nothing = (): void => undefined;

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("GET /tasks/:id", () => {
  test("tells what is known: pending, an outcome, or nothing", async () => {
    const { app, url } = await serve(nothing);
    const get = (id: string): Promise<Response> => fetch(`${url}/tasks/${id}`);
    await app.tasks.enqueue(hang, undefined, { id: "waits", delay: "1h", queue: "default" });
    expect(await (await get("waits")).json()).toEqual({ id: "waits", status: "pending" });
    await (await app.tasks.enqueue(square, 3, { id: "done" })).outcome();
    const done = await get("done");
    expect([done.status, done.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(await done.json()).toMatchObject({ id: "done", task: "square", status: "succeeded", result: 9, attempt: 0 });
    expect((await get("nobody")).status).toBe(404);
    expect((await get("not an id!")).status).toBe(400);
    const expired = "0192f0c1-7c1e-7b6e-9d3a-0f8a5d6c7b8e";
    expect((await get(expired)).status).toBe(410);
  });

  test("shows an error without its stack and causes", async () => {
    const { app, url } = await serve(nothing);
    await (await app.tasks.enqueue(boom, undefined, { id: "a" })).outcome();
    const shown = (await (await fetch(`${url}/tasks/a`)).json()) as object;
    expect(shown).toMatchObject({ status: "failed", error: { name: "RangeError", message: "boom" } });
    expect(JSON.stringify(shown)).not.toMatch(/secret|stack/);
  });

  test("shows what `present` makes of it", async () => {
    const present = (status: { status: string }, { headers }: FastifyRequest) => ({
      [String(headers["x-as"])]: status.status,
    });
    const { app, url } = await serve(nothing, { routes: { authorize: () => true, present } });
    await (await app.tasks.enqueue(square, 3, { id: "a" })).outcome();
    expect(await (await fetch(`${url}/tasks/a`, { headers: { "x-as": "state" } })).json()).toEqual({
      state: "succeeded",
    });
  });
});

describe("GET /tasks/:id/events", () => {
  test("sends the progress, then the outcome, and ends; a browser that comes again is told to stop", async () => {
    let goOn = nothing;
    const afterFirstStep = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const { app, url } = await serve(nothing, {}, { afterFirstStep });
    await app.tasks.enqueue(steps, 3, { id: "a" });
    const response = await fetch(`${url}/tasks/a/events`);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const events: unknown[] = [];
    for await (const event of readEvents(response)) {
      events.push(event);
      goOn();
    }
    expect(events).toMatchObject([
      { event: "progress", data: { value: 1 / 3, note: "step 1" } },
      { event: "progress", data: { value: 1, note: "step 3" } },
      { event: "outcome", data: { status: "succeeded", result: "all taken" } },
    ]);
    expect(await all(readEvents(await fetch(`${url}/tasks/a/events`)))).toMatchObject([
      { event: "progress" },
      { event: "outcome" },
    ]);
    const again = await fetch(`${url}/tasks/a/events`, { headers: { "last-event-id": "ended" } });
    expect(again.status).toBe(204);
    expect((await fetch(`${url}/tasks/nobody/events`)).status).toBe(404);
  });

  test("shows signs of life while nothing happens, and ends when the application closes", async () => {
    const { app, url } = await serve(nothing, { routes: { authorize: () => true, heartbeat: 20 } });
    await app.tasks.enqueue(hang, undefined, { id: "a" });
    const { body } = await fetch(`${url}/tasks/a/events`);
    let text = "";
    let closed: Promise<void> | undefined;
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      if (text.split("still here").length > 2) closed ??= app.close();
    }
    await closed;
    expect(text).not.toMatch(/event:/);
  });

  test("of a reader that leaves nothing is left", async () => {
    const { state, watched } = watchWatches();
    const { app, url } = await serve(nothing, { config: { broker: memory(), state } });
    await app.tasks.enqueue(square, 2, { id: "a", delay: "1h" });
    const leaving = new AbortController();
    expect((await fetch(`${url}/tasks/a/events`, { signal: leaving.signal })).status).toBe(200);
    expect(watched.size).toBe(1);
    leaving.abort();
    await Promise.all(watched);
  });
});

describe("POST /tasks/:id/cancel", () => {
  test("cancels, with a reason", async () => {
    const { app, url, worker } = await serve(nothing);
    const started = new Promise<void>((resolve) => {
      worker.on((event) => {
        if (event.type === "task.started") resolve();
      });
    });
    const handle = await app.tasks.enqueue(hang, undefined, { id: "a" });
    await started;
    const body = JSON.stringify({ reason: "too slow" });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}/tasks/a/cancel`, { method: "POST", body, headers });
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ id: "a", status: expect.stringMatching(/^(running|requested)$/) });
    expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: "too slow" });
  });

  test("without a body; and one that makes no sense, or is of nobody", async () => {
    const { app, url } = await serve(nothing);
    const handle = await app.tasks.enqueue(square, 2, { id: "a", delay: "1h" });
    const cancel = (id: string, body?: unknown): Promise<Response> =>
      fetch(`${url}/tasks/${id}/cancel`, {
        method: "POST",
        ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
    expect((await cancel("a", { reason: 7 })).status).toBe(400);
    expect((await cancel("nobody")).status).toBe(404);
    expect(await (await cancel("a")).json()).toEqual({ id: "a", status: "finished" });
    expect(await handle.outcome()).toMatchObject({ status: "cancelled" });
  });
});

describe("authorize", () => {
  test("is asked for each of them, before anything is looked up", async () => {
    const asked: Access[] = [];
    const authorize = async ({ headers }: FastifyRequest, access: Access): Promise<boolean> => {
      asked.push(access);
      return access.id.startsWith(`${headers["x-user"]}:`);
    };
    const { app, url } = await serve(nothing, { routes: { authorize } });
    await app.tasks.enqueue(square, 2, { id: "ada:1", delay: "1h" });
    const paths = [
      ["GET", ""],
      ["GET", "/events"],
      ["POST", "/cancel"],
    ] as const;
    for (const [method, path] of paths) {
      const response = await fetch(`${url}/tasks/ada:1${path}`, { method, headers: { "x-user": "bob" } });
      expect(response.status).toBe(403);
      expect(await response.json()).toEqual({ id: "ada:1", status: "forbidden" });
    }
    expect(asked.map(({ action }) => action)).toEqual(["read", "follow", "cancel"]);
    const own = await fetch(`${url}/tasks/ada:1`, { headers: { "x-user": "ada" } });
    expect(await own.json()).toEqual({ id: "ada:1", status: "pending" });
  });

  test("what it throws is the application's to answer", async () => {
    const authorize = (): never => {
      throw Object.assign(new Error("who are you?"), { statusCode: 401 });
    };
    const { url } = await serve(nothing, { routes: { authorize } });
    expect((await fetch(`${url}/tasks/a`)).status).toBe(401);
  });
});
