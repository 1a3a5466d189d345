import { expect, onTestFinished, test } from "vitest";
import type { Api } from "../src/api.ts";
import { Bucket } from "../src/bucket/bucket.ts";
import { scan } from "../src/bucket/scan.ts";
import { Connection } from "../src/connection.ts";
import { privateNats } from "./harness.ts";

const server = privateNats();

test("a list ends at once, and without it, when something is removed meanwhile", async () => {
  const connection = new Connection({ url: server.current().url });
  await connection.open();
  onTestFinished(() => connection.close());
  const announced = { keys: "e.>", at: "scanned.e.>" };
  const bucket = new Bucket({
    connection,
    apiPrefix: undefined,
    name: "scanned",
    announced,
    replicas: 1,
    storage: "memory",
    maxAge: 0,
  });
  await bucket.open();
  const keys = ["a", "b", "c", "d", "e"].map((key) => `e.${key}`);
  const written = await bucket.write(keys.map((key) => ({ key, value: Buffer.from("v") })));
  const [first] = written;
  if (first === undefined || first === "conflict") throw new Error("Expected the first value to be stored.");
  const api = {
    subjectOf: (call: string) => bucket.api.subjectOf(call),
    call: async (...asked: Parameters<Api["call"]>) => {
      const answer = await bucket.api.call(...asked);
      // Its consumer has counted what is there by now.
      if (asked[0].startsWith("CONSUMER.CREATE")) await bucket.remove(first.sequence);
      return answer;
    },
  };
  const overtaken = {
    api,
    stream: bucket.stream,
    subjectOf: (key: string) => bucket.subjectOf(key),
    keyOf: (subject: string) => bucket.keyOf(subject),
  } as unknown as Bucket;
  const found = await scan(overtaken, connection, "e.>");
  expect(found.map(({ key }) => key)).toEqual(keys.slice(1));
});
