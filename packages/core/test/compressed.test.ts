import { randomBytes } from "node:crypto";
import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  compressed,
  createClient,
  createWorker,
  defineTask,
  jsonSerializer,
  memory,
  silentLogger,
} from "../src/index.ts";

const text = "the same again and again ".repeat(1_000);

describe("compressed", () => {
  test("what is above the limit shrinks, what is below stays readable", () => {
    const serializer = compressed(jsonSerializer(), { above: 100 });
    expect(serializer.contentType).toBe("application/json+zlib");
    expect(serializer.serialize(text).length).toBeLessThan(text.length / 50);
    expect(Buffer.from(serializer.serialize("short")).toString()).toBe('\u0000"short"');
    expect(serializer.deserialize(serializer.serialize(text))).toBe(text);
    expect(serializer.deserialize(serializer.serialize("short"))).toBe("short");
  });

  test("what does not shrink is left as it is", () => {
    const noise = randomBytes(3_000).toString("latin1");
    const serializer = compressed(jsonSerializer(), { above: 0, level: 9 });
    expect(serializer.deserialize(serializer.serialize(noise))).toBe(noise);
  });

  test("a small message that would fill the memory is refused", () => {
    const bomb = Buffer.concat([Buffer.of(1), deflateSync(Buffer.alloc(64 * 1_024 * 1_024, " "))]);
    expect(bomb.length).toBeLessThan(100_000);
    expect(() => compressed(jsonSerializer()).deserialize(bomb)).toThrow(
      expect.objectContaining({ code: "NOT_DESERIALIZABLE", message: expect.stringContaining("inflate") }),
    );
  });

  test("what a reader would refuse is not written", () => {
    const serializer = compressed(jsonSerializer(), { maxBytes: 1_000 });
    expect(() => serializer.serialize(text)).toThrow(expect.objectContaining({ code: "NOT_SERIALIZABLE" }));
    const plain = Buffer.concat([Buffer.of(0), Buffer.from(JSON.stringify(text))]);
    expect(() => serializer.deserialize(plain)).toThrow(expect.objectContaining({ code: "NOT_DESERIALIZABLE" }));
  });

  test.each([{ above: -1 }, { above: 1.5 }, { maxBytes: 0 }, { level: 0 }, { level: 10 }])(
    "%o is refused",
    (options) => {
      expect(() => compressed(jsonSerializer(), options)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    },
  );
});

test("a fleet that changes its format reads both while it does", async () => {
  const broker = memory();
  const echo = defineTask<string, string>("echo");
  const next = compressed(jsonSerializer());
  // The worker is updated first: it reads the new format and writes the old one still.
  const worker = createWorker({
    broker,
    handlers: [echo.handler((input) => input)],
    serializers: [next],
    logger: silentLogger,
  });
  await worker.start();
  const [old, updated] = await Promise.all([createClient({ broker }), createClient({ broker, serializer: next })]);
  for (const client of [old, updated]) {
    expect(await (await client.enqueue(echo, text)).result({ timeout: "10s" })).toBe(text);
  }
  await Promise.all([old.close(), updated.close(), worker.close()]);
});
