import { randomBytes } from "node:crypto";
import {
  aesKey,
  claimCheck,
  compressed,
  createClient,
  createWorker,
  defineTask,
  encryption,
  hmacKey,
  isTaskferryError,
  signatures,
  silentLogger,
} from "@taskferry/core";
import { msgpackSerializer } from "@taskferry/msgpack";

// In production the secrets come from the environment: openssl rand -base64 32
const config = {
  broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/protected.db",
  serializer: compressed(msgpackSerializer(), { above: 1_000 }),
  encryption: encryption({ keys: [aesKey("2026-11", randomBytes(32))] }),
  claimCheck: claimCheck({ above: 10_000 }),
  signatures: signatures({ keys: [hmacKey("2026-11", randomBytes(32))] }),
  logger: silentLogger,
};

const count = defineTask<{ text: Uint8Array; at: Date }, Map<string, number>>("count");
const onCount = count.handler(
  ({ text, at }) =>
    new Map([
      ["bytes", text.length],
      ["year", at.getUTCFullYear()],
    ]),
);

const client = await createClient(config);
const input = { text: randomBytes(50_000), at: new Date("2026-11-22") };
const handle = await client.enqueue(count, input);
const [waiting] = (await client.queues.list("default", { section: "ready", limit: 1 })).entries;
console.log(`a message of less than 1 KB travels: ${(waiting?.bytes.length ?? 0) < 1_000}`);

// Somebody who reaches the broker, but has no key.
const { signatures: _, ...unsigned } = config;
const stranger = await createClient(unsigned);
await stranger.enqueue(count, input);

const worker = createWorker({ ...config, handlers: [onCount] });
const rejected = new Promise<string>((resolve) => {
  worker.on((event) => {
    if (event.type === "task.rejected") resolve(event.reason.code);
  });
});
await worker.start();
console.log(await handle.result({ timeout: "10s" }));
console.log(`the stranger's task: ${await rejected}`);

// Whoever does not hold the key cannot read the outcome either.
try {
  const thief = { ...unsigned, encryption: encryption({ keys: [aesKey("2026-11", randomBytes(32))] }) };
  const reader = await createClient(thief);
  await reader
    .handle(count, handle.id)
    .result({ timeout: "10s" })
    .finally(() => reader.close());
} catch (error) {
  if (!isTaskferryError(error)) throw error;
  console.log(`without the key: ${error.code}`);
}

await worker.close();
await client.deadLetters.drop("default", "all");
await stranger.close();
await client.close();
