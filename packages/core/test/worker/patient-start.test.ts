import { afterEach, expect, test } from "vitest";
import {
  type Broker,
  BrokerError,
  createClient,
  createWorker,
  defineTask,
  memory,
  type Worker,
} from "../../src/index.ts";

/** A broker that connects, and is out of reach when it is first asked for its queues. */
function lateBroker(absences: number): { readonly broker: Broker; readonly asked: () => number } {
  const broker = memory();
  let asked = 0;
  return {
    broker: {
      ...broker,
      consume: async (...given) => {
        asked += 1;
        if (asked <= absences) throw new BrokerError("BROKER_UNAVAILABLE", "no answer");
        return broker.consume(...given);
      },
    },
    asked: () => asked,
  };
}

const task = defineTask<number, number>("double");
const workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});

function workerOf(broker: Broker, startTimeout: number): Worker {
  const worker = createWorker({ broker, handlers: [task.handler((n) => 2 * n)], startTimeout });
  workers.push(worker);
  return worker;
}

test("a worker that may wait for its servers tries again to open its queues", async () => {
  const { broker, asked } = lateBroker(2);
  await workerOf(broker, 20_000).start();
  await using client = await createClient({ broker });
  expect(await (await client.enqueue(task, 21)).result({ timeout: "10s" })).toBe(42);
  expect(asked()).toBe(3);
});

test("one that may not wait says so at once", async () => {
  const { broker, asked } = lateBroker(1);
  await expect(workerOf(broker, 0).start()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  expect(asked()).toBe(1);
});
