import { createClient, createWorker, defineTask, provide, silentLogger } from "@taskferry/core";

// A stand-in for a database: a list of what was written and committed.
const ledger: string[] = [];

// Made when the worker starts, ended when it stops.
const db = provide(
  "db",
  async function* () {
    console.log("db: connected");
    yield { write: (line: string) => void ledger.push(line), size: () => ledger.length };
    console.log("db: closed");
  },
  { scope: "worker", eager: true },
);

// Made for each task. The task's error arrives at the yield.
const tx = provide(
  "tx",
  async function* ({ db, context }) {
    const lines: string[] = [];
    try {
      yield { write: (line: string) => void lines.push(line) };
      for (const line of lines) db.write(line);
      console.log(`tx of ${context.id}: committed`);
    } catch (error) {
      console.log(`tx of ${context.id}: rolled back`);
      throw error;
    }
  },
  { scope: "task", needs: { db } },
);

const transfer = defineTask<{ amount: number }, number>("transfer");
const onTransfer = transfer.handler({ db, tx }, async ({ amount }, { db, tx }) => {
  tx.write(`minus ${amount}`);
  if (amount > 100) throw new Error("not enough money");
  tx.write(`plus ${amount}`);
  return db.size();
});

const config = { broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/dependencies.db" };
const worker = createWorker({ ...config, handlers: [onTransfer], logger: silentLogger });
await worker.start();
const client = await createClient(config);

for (const [id, amount] of [
  ["small", 50],
  ["large", 500],
] as const) {
  const outcome = await (await client.enqueue(transfer, { amount }, { id })).outcome();
  console.log(`${id}: ${outcome.status}`);
}
await client.deadLetters.drop("default", "all");
await client.close();
await worker.close();
console.log(`ledger: ${ledger.join(", ")}`);
