import { AsyncLocalStorage } from "node:async_hooks";
import {
  createClient,
  createWorker,
  defineTask,
  idempotency,
  type Middleware,
  retryByError,
  silentLogger,
} from "@taskferry/core";

// Who asks: known where the task is enqueued, and again where it runs.
const tenants = new AsyncLocalStorage<string>();
const tenancy: Middleware = {
  name: "tenancy",
  enqueue: (outgoing, next) => {
    const headers = { ...outgoing.message.headers, tenant: tenants.getStore() ?? "nobody" };
    return next({ ...outgoing, message: { ...outgoing.message, headers } });
  },
  execute: ({ message }, next) => tenants.run(message.headers?.["tenant"] ?? "nobody", next),
};

const calls = { charge: 0, look: 0 };
const charge = defineTask<{ euros: number }, string>("charge");
const onCharge = charge.handler(async ({ euros }) => {
  calls.charge += 1;
  return `${tenants.getStore()} paid ${euros}`;
});
const look = defineTask<string, never>("look", { retry: { attempts: 5, backoff: { from: 0, to: 0 } } });
const onLook = look.handler(async (name) => {
  calls.look += 1;
  throw Object.assign(new Error(`there is no ${name}`), { name: "NotFound" });
});

const config = {
  broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/middlewares.db",
  middlewares: [tenancy, retryByError({ never: ["NotFound"] }), idempotency()],
};
const worker = createWorker({ ...config, handlers: [onCharge, onLook], logger: silentLogger });
const events = worker.events();
await worker.start();
const client = await createClient(config);

// The second one asks for the same charge, and gets the result of the first.
for (const tenant of ["blue", "green"]) {
  const headers = { "idempotency-key": "invoice-1" };
  const handle = await tenants.run(tenant, () => client.enqueue(charge, { euros: 5 }, { headers }));
  console.log(`${tenant} hears: ${await handle.result({ timeout: "10s" })}`);
}
console.log(`charged ${calls.charge} time`);

// Five attempts are allowed, but no attempt finds what is not there.
const outcome = await (await client.enqueue(look, "unicorn")).outcome({ timeout: "10s" });
if (outcome.status === "failed") console.log(`${outcome.error.message}, after ${calls.look} attempt`);

await worker.close();
const heard: string[] = [];
for await (const event of events)
  if (event.type === "task.succeeded" || event.type === "task.failed") heard.push(event.type);
console.log(heard.join(", "));
await client.deadLetters.drop("default", "all");
await client.close();
