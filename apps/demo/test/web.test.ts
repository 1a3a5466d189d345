import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory } from "@taskferry/core";
import { afterEach, describe, expect, test } from "vitest";
import { createArchive } from "../src/web/archive.ts";
import { createEventStream } from "../src/web/event-stream.ts";
import type { Picture } from "../src/web/picture.ts";
import { createServer } from "../src/web/server.ts";
import { createShelf } from "../src/web/shelf.ts";
import { maxUploadBytes } from "../src/web/uploads.ts";
import { draw } from "./pictures.ts";

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** The web application on a broker in memory, listening, without a worker. */
async function startWeb() {
  const folder = await mkdtemp(join(tmpdir(), "taskferry-demo-test-"));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const stopping = new AbortController();
  cleanups.push(async () => stopping.abort());
  const { signal } = stopping;
  const archive = createArchive(folder);
  const shelf = await createShelf(archive);
  const errors: unknown[] = [];
  const stream = createEventStream();
  const { app } = await createServer({
    config: { broker: memory() },
    onError: (error) => void errors.push(error),
    shelf,
    archive,
    stream,
    samples: [],
    samplesFolder: folder,
    broker: "memory",
    signal,
  });
  cleanups.push(() => app.close());
  const { client } = app.tasks;
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const send = (files: Readonly<Record<string, Buffer | string>>, query = "", headers: Record<string, string> = {}) => {
    const form = new FormData();
    for (const [name, content] of Object.entries(files)) {
      form.append("ref", `my ${name}`);
      form.append("picture", new Blob([Uint8Array.from(Buffer.from(content))]), name);
    }
    return fetch(`${url}/api/pictures${query}`, { method: "POST", body: form, headers });
  };
  return { url, send, client, folder, shelf };
}

async function picturesOf(response: Response): Promise<readonly Picture[]> {
  return ((await response.json()) as { pictures: readonly Picture[] }).pictures;
}

describe("uploads", () => {
  test("each file of a request becomes a task in the queue, and keeps the name it was sent with", async () => {
    const { send, client } = await startWeb();
    const response = await send({ "a.png": await draw(20, 10).png().toBuffer(), "b.txt": "text" });
    expect(response.status).toBe(202);
    expect(await picturesOf(response)).toMatchObject([
      { name: "a.png", ref: "my a.png", mode: "queue", status: "waiting" },
      { name: "b.txt", ref: "my b.txt", mode: "queue", status: "waiting" },
    ]);
    expect(await client.queues.depth("pictures")).toMatchObject({ ready: 2 });
  });

  test("each has a task with an address of its own, which can be cancelled", async () => {
    const { send, url, client } = await startWeb();
    const [picture] = await picturesOf(await send({ "a.png": "x" }));
    const task = `${url}/api/tasks/${picture!.id}`;
    expect(await (await fetch(task)).json()).toEqual({ id: picture!.id, status: "pending" });
    expect((await fetch(`${url}/api/tasks/of-nobody`)).status).toBe(403);
    expect((await fetch(`${task}/cancel`, { method: "POST" })).status).toBe(202);
    expect(await (await fetch(task)).json()).toMatchObject({ status: "cancelled" });
    expect(await client.queues.depth("pictures")).toMatchObject({ ready: 0 });
  });

  test("with mode=inline the work is done when the answer comes, and no task is enqueued", async () => {
    const { send, client, url } = await startWeb();
    const response = await send({ "a.png": await draw(300, 200).png().toBuffer(), "b.txt": "text" }, "?mode=inline");
    expect(response.status).toBe(200);
    const [good, bad] = await picturesOf(response);
    expect(good).toMatchObject({ status: "succeeded", mode: "inline", result: { width: 300, format: "png" } });
    expect(bad).toMatchObject({ status: "failed", reason: expect.stringMatching(/no picture/) });
    expect(await client.queues.depth("pictures")).toMatchObject({ ready: 0 });
    const thumbnail = await fetch(`${url}/api/pictures/${good!.id}/thumbnails/160`);
    expect(thumbnail.headers.get("content-type")).toBe("image/webp");
    expect((await fetch(`${url}/api/pictures/${bad!.id}/thumbnails/160`)).status).toBe(404);
    expect((await fetch(`${url}/api/pictures/${good!.id}/thumbnails/161`)).status).toBe(404);
  });

  test("a file that is too large fails with its reason, the one beside it goes on", async () => {
    const { send } = await startWeb();
    const response = await send({ "large.bin": Buffer.alloc(maxUploadBytes + 1), "a.txt": "text" });
    expect(await picturesOf(response)).toMatchObject([
      { name: "large.bin", status: "failed", reason: "This file is larger than 25 MiB." },
      { name: "a.txt", status: "waiting" },
    ]);
  });

  test("a name is shown and never a path", async () => {
    const { send, folder } = await startWeb();
    const [first, second] = await picturesOf(await send({ "../../etc/passwd": "x", "C:\\up\\b.png": "y" }));
    expect([first!.name, second!.name]).toEqual(["passwd", "b.png"]);
    expect((await readdir(folder)).toSorted()).toEqual([first!.id, second!.id].toSorted());
  });

  test("a request without a file, or with an unknown mode, is refused", async () => {
    const { send } = await startWeb();
    const refused = async (response: Response) => [
      response.status,
      ((await response.json()) as { message: string }).message,
    ];
    expect(await refused(await send({}))).toEqual([400, "Expected at least one file, got none."]);
    expect(await refused(await send({ "a.txt": "x" }, "?mode=fast"))).toEqual([
      400,
      'Expected mode "queue" or "inline".',
    ]);
  });

  test("a page of another origin may change nothing", async () => {
    const { send, url } = await startWeb();
    expect((await send({ "a.txt": "x" }, "", { "sec-fetch-site": "cross-site" })).status).toBe(403);
    const headers = { "sec-fetch-site": "same-site" };
    expect((await fetch(`${url}/api/pictures`, { method: "DELETE", headers })).status).toBe(403);
  });
});

describe("the rest", () => {
  test("finished pictures can be removed, files and all; the others stay", async () => {
    const { send, url, folder } = await startWeb();
    await send({ "done.png": await draw(20, 10).png().toBuffer() }, "?mode=inline");
    const [waiting] = await picturesOf(await send({ "waits.png": "x" }));
    expect((await fetch(`${url}/api/pictures`, { method: "DELETE" })).status).toBe(204);
    expect(await picturesOf(await fetch(`${url}/api/pictures`))).toMatchObject([{ id: waiting!.id }]);
    expect(await readdir(folder)).toEqual([waiting!.id]);
  });

  test("the answer to an upload names its pictures even when they were removed before it", async () => {
    const { send, shelf } = await startWeb();
    shelf.on((event) => {
      if (event.type === "picture" && event.picture.status === "failed") void shelf.clear();
    });
    const response = await send({ "a.txt": "text" }, "?mode=inline");
    expect(response.status).toBe(200);
    expect(await picturesOf(response)).toMatchObject([{ name: "a.txt" }]);
    expect(shelf.list()).toEqual([]);
  });

  test("a picture that the broker does not take has failed, and says why", async () => {
    const { send, client } = await startWeb();
    await client.close();
    expect(await picturesOf(await send({ "a.png": "x" }))).toMatchObject([
      { name: "a.png", status: "failed", reason: expect.stringMatching(/client is closed/) },
    ]);
  });

  test("the page may load nothing from elsewhere and run nothing inline", async () => {
    const { url } = await startWeb();
    const page = await fetch(url);
    expect(page.headers.get("content-security-policy")).toMatch(
      /default-src 'none'; script-src 'self'; style-src 'self'/,
    );
    const html = await page.text();
    expect(html).not.toMatch(/https?:\/\/|<style|style="|<script(?![^>]*src=)| on\w+=/);
    expect(await (await fetch(`${url}/api/ping`)).json()).toEqual({ pong: true });
  });
});
