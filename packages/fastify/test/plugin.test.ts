import { createClient, type Handle, memory, silentLogger } from "@taskferry/core";
import Fastify from "fastify";
import { describe, expect, expectTypeOf, test } from "vitest";
import { type TaskferryOptions, taskferry } from "../src/index.ts";
import { open, serve, square } from "./application.ts";

const post = (url: string, body?: unknown): Promise<Response> =>
  fetch(url, {
    method: "POST",
    ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });

describe("a route", () => {
  test("enqueues in one line, and answers 202 with the address of the task", async () => {
    const { app, url } = await serve((app) => {
      app.post("/square", async ({ tasks, body }, reply) =>
        reply.accepted(await tasks.enqueue(square, body as number)),
      );
    });
    const response = await post(`${url}/square`, 7);
    expect(response.status).toBe(202);
    const { id, status } = (await response.json()) as { id: string; status: string };
    expect(status).toBe("pending");
    expect(response.headers.get("location")).toBe(`/tasks/${id}`);
    expect(await app.tasks.handle(square, id).result()).toBe(49);
    expect(await (await fetch(`${url}/tasks/${id}`)).json()).toMatchObject({ id, status: "succeeded", result: 49 });
  });

  test("gives its tasks headers of the request; those of the enqueue win", async () => {
    const seen: unknown[] = [];
    await using client = await createClient({
      broker: memory(),
      middlewares: [
        {
          name: "witness",
          enqueue: (outgoing, next) => {
            seen.push(outgoing.message.headers);
            return next(outgoing);
          },
        },
      ],
    });
    const { url } = await serve(
      (app) => {
        app.get("/", async ({ tasks }) => {
          await tasks.enqueue(square, 1);
          await tasks.enqueue(square, 2, { headers: { user: "bob", more: "yes" } });
          return "done";
        });
      },
      { client, headers: ({ headers }) => ({ user: String(headers["x-user"]) }) },
    );
    await fetch(url, { headers: { "x-user": "ada" } });
    expect(seen).toEqual([{ user: "ada" }, { user: "bob", more: "yes" }]);
  });

  test("lets an error pass with the status that it means", async () => {
    const { url } = await serve((app) => {
      app.get("/", async ({ tasks }, reply) => reply.accepted(await tasks.enqueue(square, 1, { id: "no id!" })));
    });
    const response = await fetch(url);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "NAME_INVALID" });
  });

  test("has types: of inputs, and of results", async () => {
    const app = Fastify();
    await app.register(taskferry, { routes: open, config: { broker: memory() } });
    const handle = await app.tasks.enqueue(square, 3);
    expectTypeOf(handle).toEqualTypeOf<Handle<number>>();
    // @ts-expect-error a number is wanted
    void app.tasks.enqueue(square, "three").catch(() => undefined);
    const local = await app.tasks.background(() => "a text");
    expectTypeOf(local).toEqualTypeOf<Handle<string>>();
    await app.close();
  });
});

describe("work in the background of a request", () => {
  test("runs once the answer is sent, and its handle and route are those of any task", async () => {
    const order: string[] = [];
    const { url } = await serve((app) => {
      app.addHook("onResponse", async () => void order.push("answered"));
      app.get("/", async ({ tasks }, reply) =>
        reply.accepted(
          await tasks.background(() => {
            order.push("ran");
            return new Map([["a", 1n]]);
          }),
        ),
      );
    });
    const { id } = (await (await fetch(url)).json()) as { id: string };
    for await (const _ of (await fetch(`${url}/tasks/${id}/events`)).body ?? []);
    expect(order.slice(0, 2)).toEqual(["answered", "ran"]);
    const shown = await (await fetch(`${url}/tasks/${id}`)).json();
    expect(shown).toMatchObject({ id, status: "succeeded", result: [["a", "1"]] });
  });

  test("is pending until then, and runs when the connection ends without an answer", async () => {
    let id = "";
    const { app, url } = await serve((app) => {
      app.get("/", async ({ tasks }) => {
        id = (await tasks.background(() => "ran")).id;
        expect(await (await fetch(`${url}/tasks/${id}`)).json()).toEqual({ id, status: "pending" });
        hungUp.abort();
        return new Promise(() => undefined);
      });
    });
    const hungUp = new AbortController();
    await expect(fetch(url, { signal: hungUp.signal })).rejects.toThrow();
    for await (const _ of (await fetch(`${url}/tasks/${id}/events`)).body ?? []);
    expect(await (await fetch(`${url}/tasks/${id}`)).json()).toMatchObject({ status: "succeeded", result: "ran" });
    await app.close();
  });
});

describe("the plugin", () => {
  test("closes its client and its background with the application, and leaves a given client open", async () => {
    const broker = memory();
    await using client = await createClient({ broker });
    const app = Fastify();
    await app.register(taskferry, { routes: false, client });
    let hasRun = false;
    await app.tasks.background(async () => {
      await new Promise(setImmediate);
      hasRun = true;
    });
    await app.close();
    expect(hasRun).toBe(true);
    await client.enqueue(square, 1);

    const other = Fastify();
    await other.register(taskferry, { routes: false, config: { broker } });
    const { tasks } = other;
    await other.close();
    await expect(tasks.enqueue(square, 1)).rejects.toMatchObject({ code: "CLOSED", statusCode: 503 });
    await expect(tasks.background(() => 1)).rejects.toMatchObject({ code: "CLOSED" });
  });

  test.each([
    [{ config: { broker: memory() } }, /authorize/],
    [{ config: { broker: memory() }, routes: {} }, /authorize/],
    [{ routes: open }, /`config` or `client`, got neither/],
  ])("%o is refused before the application is ready", async (options, message) => {
    const app = Fastify();
    await expect(app.register(taskferry, options as never as TaskferryOptions)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(message),
    });
  });

  test("a server that is out of reach fails the start", async () => {
    const app = Fastify();
    const config = {
      broker: memory(),
      logger: silentLogger,
      middlewares: [{ name: "no", start: () => Promise.reject(new Error("no server")) }],
    };
    await expect(app.register(taskferry, { routes: open, config })).rejects.toThrow("no server");
  });

  test("its routes lie under the prefix of the application", async () => {
    const app = Fastify();
    await app.register(
      async (inner) => {
        await inner.register(taskferry, { routes: { ...open, prefix: "/jobs" }, config: { broker: memory() } });
        inner.get("/go", async ({ tasks }, reply) => reply.accepted(await tasks.enqueue(square, 1, { id: "a" })));
      },
      { prefix: "/api" },
    );
    const accepted = await app.inject("/api/go");
    expect(accepted.headers.location).toBe("/api/jobs/a");
    expect((await app.inject("/api/jobs/a")).json()).toEqual({ id: "a", status: "pending" });
    await app.close();
  });
});
