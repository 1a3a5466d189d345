import { cborSerializer } from "@taskferry/cbor";
import { compressed, createClient, createWorker, defineTask, jsonSerializer, silentLogger } from "@taskferry/core";
import { msgpackSerializer } from "@taskferry/msgpack";

const broker = process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/formats.db";

interface Reading {
  readonly at: Date;
  readonly values: Map<string, bigint>;
}
const check = defineTask<Reading, { seen: Date; last: bigint }>("check");
const onCheck = check.handler(({ at, values }) => ({ seen: at, last: values.get("meter 499") ?? 0n }));

// A fleet in the middle of a change: each client writes another format.
const others = [msgpackSerializer(), cborSerializer(), compressed(jsonSerializer())];
const formats = [jsonSerializer(), ...others];
const values = new Map(Array.from({ length: 500 }, (_, index) => [`meter ${index}`, 2n ** 70n + BigInt(index)]));
const clients = await Promise.all(formats.map((serializer) => createClient({ broker, serializer })));
const handles = await Promise.all(
  clients.map((client) => client.enqueue(check, { at: new Date("2026-11-26"), values })),
);
const [first] = clients;
const { entries } = (await first?.queues.list("default", { section: "ready", limit: 10 })) ?? { entries: [] };
const sizes = new Map(entries.map(({ message }) => [message?.contentType, message?.body.length ?? 0]));

// One worker reads them all, and answers in JSON, which everybody reads.
const worker = createWorker({ broker, handlers: [onCheck], serializers: others, logger: silentLogger });
await worker.start();
for (const [index, handle] of handles.entries()) {
  const { seen, last } = await handle.result({ timeout: "10s" });
  console.log(`${formats[index]?.contentType}: ${last} on ${seen.toISOString().slice(0, 10)}`);
}
const [plain = 0, small = 0] = [sizes.get("application/json"), sizes.get("application/json+zlib")];
console.log(`compressed to less than a fifth: ${small * 5 < plain}`);

await worker.close();
for (const client of clients) await client.close();
