import { type ChildProcess, fork } from "node:child_process";
import { on, once } from "node:events";
import { createClient, createWorker, memory, silentLogger } from "@taskferry/core";
import { charge, url } from "./tasks.ts";

const client = await createClient({ broker: url });
const handle = await client.enqueue(charge, { order: 7 }, { id: `order-7-${Date.now()}` });

// The first worker begins, and stands still for longer than its lease: nothing of it runs.
const first = start("first");
await toldBy(first);
first.process.kill("SIGSTOP");

// The second is given the task, waits until the claim of the first has ended, and runs it.
const second = start("second");
await toldBy(second);
console.log(`charged ${await handle.result({ timeout: "20s" })}`);

// The first goes on as if nothing had been.
first.process.kill("SIGCONT");
await toldBy(first);
await toldBy(first);
console.log(`still charged ${await handle.result()}`);

// A copy that comes by another broker: what has ended elsewhere is not run again.
const copies = { broker: memory(), results: url, state: url };
const third = createWorker({
  ...copies,
  handlers: [charge.handler(() => "a second time")],
  logger: silentLogger,
});
const isRepeated = new Promise<void>((resolve) => third.on(({ type }) => void (type === "task.repeated" && resolve())));
await third.start();
const copier = await createClient(copies);
await copier.enqueue(charge, { order: 7 }, { id: handle.id });
await isRepeated;
console.log("the copy is acknowledged, and does not run");

await Promise.all([first, second].map(stop));
await third.stop();
await copier.close();
await client.close();

interface Worker {
  readonly process: ChildProcess;
  readonly messages: AsyncIterator<readonly unknown[]>;
}

function start(name: string): Worker {
  const child = fork(new URL("./worker.js", import.meta.url), [name]);
  return { process: child, messages: on(child, "message") };
}

/** Prints what a worker says next. */
async function toldBy({ messages }: Worker): Promise<void> {
  const { value } = await messages.next();
  console.log(value[0]);
}

async function stop({ process: child }: Worker): Promise<void> {
  child.send("stop");
  await once(child, "exit");
}
