import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { readEvents } from "../src/check/event-source.ts";
import { isEnded, type Picture } from "../src/web/picture.ts";
import { launch, startDemo } from "./demo.ts";
import { draw } from "./pictures.ts";

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("two processes; a signal ends both, and the launcher with 0", async () => {
  await using demo = await startDemo();
  expect(new Set([demo.process.pid, demo.webPid, demo.workerPid]).size).toBe(3);
  expect((await fetch(demo.url)).status).toBe(200);
  expect(await demo.process.stop()).toEqual({ code: 0, signal: null });
  expect([demo.webPid, demo.workerPid].filter(isRunning)).toEqual([]);
});

test("when the worker dies, the launcher says so, ends the web process and ends with 1", async () => {
  await using demo = await startDemo();
  process.kill(demo.workerPid, "SIGKILL");
  expect(await demo.process.exited).toEqual({ code: 1, signal: null });
  expect(demo.process.logs()).toMatch(/The worker process was ended by SIGKILL\. Stopping the other one\./);
  expect(isRunning(demo.webPid)).toBe(false);
});

test("when the launcher is killed, neither process outlives it", async () => {
  await using demo = await startDemo();
  // Resolves once its output has ended, which is when nobody is left who could write to it.
  await demo.process.kill();
  await expect(fetch(demo.url)).rejects.toThrow();
});

test("a port that was asked for and is taken is an error that names it", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  const process = await launch({
    args: ["--port", String(port)],
    env: { TASKFERRY_DEMO_SAMPLES: "public" },
  });
  expect((await process.exited).code).toBe(1);
  expect(process.logs()).toMatch(new RegExp(`EADDRINUSE.*${port}`));
  taken.close();
});

test("a broker that cannot be reached is told in one line, without its password", async () => {
  const process = await launch({
    args: ["--port", "0"],
    env: { TASKFERRY_BROKER: "redis://ada:secret@127.0.0.1:1", TASKFERRY_DEMO_SAMPLES: "public" },
  });
  expect((await process.exited).code).toBe(1);
  expect(process.logs()).toMatch(/^(web|worker) +Redis at redis:\/\/\S*@127\.0\.0\.1:1 cannot be reached/m);
  expect(process.logs()).not.toMatch(/secret|\n +at /);
});

test("what was in the queue when the web process died is done, and shown, by the next one", async () => {
  await using first = await startDemo();
  const form = new FormData();
  const names = ["a.png", "b.png", "c.png", "d.png"];
  for (const name of names) form.append("picture", new Blob([await draw(1600, 1200).png().toBuffer()]), name);
  const response = await fetch(`${first.url}/api/pictures`, { method: "POST", body: form });
  expect(response.status).toBe(202);
  process.kill(first.webPid, "SIGKILL");
  await first.process.exited;

  await using second = await first.again();
  expect(await endsOf(second.url, names.length)).toEqual(names.map((name) => `${name} succeeded`));
}, 120_000);

/** Waits, as a page does, until so many pictures have ended. */
async function endsOf(url: string, count: number): Promise<readonly string[]> {
  const pictures = new Map<string, Picture>();
  for await (const { event, data } of readEvents(`${url}/api/events`, new AbortController().signal)) {
    const news = event === "state" ? (data as { pictures: Picture[] }).pictures : [data as Picture];
    for (const picture of news) pictures.set(picture.id, picture);
    const ended = [...pictures.values()].filter(isEnded);
    if (ended.length === count) return ended.map(({ name, status }) => `${name} ${status}`).toSorted();
  }
  throw new Error("The stream of events ended.");
}
