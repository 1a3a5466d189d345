import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PackedListReader, packList } from "../src/packed-list.ts";
import { privateRedis } from "./harness.ts";

const server = privateRedis();
/** On both sides of each border between the heads of strings. */
const lengths = [0, 1, 31, 32, 255, 256, 65_535, 65_536, 200_000];

describe("a packed list", () => {
  let redis: Redis;
  beforeAll(() => {
    redis = new Redis(server.current().url);
  });
  afterAll(() => redis.disconnect());

  async function unpackedByServer(items: readonly (string | Uint8Array)[]): Promise<readonly Buffer[]> {
    const reply = await redis.callBuffer("EVAL", "return cmsgpack.unpack(ARGV[1])", 0, packList(items));
    return reply as readonly Buffer[];
  }

  function read(packed: Buffer): readonly Buffer[] {
    const reader = new PackedListReader(packed);
    return Array.from({ length: reader.length }, () => reader.bytes());
  }

  test("of any lengths is what the server unpacks", async () => {
    const items = lengths.map((length) => Buffer.alloc(length, length % 251));
    expect(await unpackedByServer(items)).toEqual(items);
  });

  test("has every byte, as bytes and as characters", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    expect(await unpackedByServer([bytes, bytes.toString("latin1")])).toEqual([bytes, bytes]);
  });

  test.each([0, 1, 15, 16, 1_000])(
    "of %i items is read as the server packs it, and as packList does",
    async (count) => {
      const items = Array.from({ length: count }, (_, index) => Buffer.alloc(lengths[index % 6] ?? 0, index));
      const byServer = await redis.callBuffer("EVAL", "return cmsgpack.pack(ARGV)", 0, ...items);
      expect(read(byServer as Buffer)).toEqual(items);
      expect(read(packList(items))).toEqual(items);
    },
  );

  test("of long items is read", () => {
    const items = lengths.map((length) => Buffer.alloc(length, 7));
    expect(read(packList(items))).toEqual(items);
  });

  test("gives text and bytes in turn", () => {
    const reader = new PackedListReader(packList(["key \u00ff", Buffer.from("value")]));
    expect([reader.text(), reader.bytes()]).toEqual(["key \u00ff", Buffer.from("value")]);
  });
});
