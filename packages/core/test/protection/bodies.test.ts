import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  aesKey,
  claimCheck,
  compressed,
  defineTask,
  encryption,
  jsonSerializer,
  type MemoryBroker,
  type Message,
  type StateStore,
} from "../../src/index.ts";
import { inject, oneSecret, scene } from "./setup.ts";

const echo = defineTask<string, string>("echo");
const onEcho = echo.handler((input) => input);
const key = aesKey("e1", Buffer.alloc(32, "e"));
const encrypted = encryption({ keys: [key] });
const place = { domain: "task", id: "1", task: "echo", queue: "default" } as const;

async function bodies(state: StateStore): Promise<number> {
  return (await state.list(["body"], { limit: 1_000 })).entries.length;
}

async function stored(broker: MemoryBroker): Promise<string> {
  const { entries = [] } = (await broker.admin?.list("default", { section: "ready", limit: 10 })) ?? {};
  return entries.map(({ bytes }) => Buffer.from(bytes).toString("latin1")).join();
}

describe("encryption", () => {
  test("what travels and what is stored shows nothing, and arrives", async () => {
    const { broker, client, worker, results } = await scene({ encryption: encrypted });
    const from = await client();
    const handle = await from.enqueue(echo, "the secret text", { id: "one" });
    expect(await stored(broker)).not.toContain("secret");
    await worker([onEcho]);
    expect(await handle.result({ timeout: "10s" })).toBe("the secret text");
    const [outcome] = await results.get(["one"]);
    expect(Buffer.from(outcome?.result?.body ?? []).toString("latin1")).not.toContain("secret");
    // A handle that does not know its queue reads it too.
    expect(await from.handle(echo, "one", { queue: "other" }).result({ timeout: "10s" })).toBe("the secret text");
  });

  test("any flipped bit of an encrypted body is refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(), fc.nat(7), (body, at, bit) => {
        const closed = encrypted.encrypt({ contentType: "application/json", body }, place);
        const opened = encrypted.decrypt(closed.body, place);
        expect([opened.contentType, Uint8Array.from(opened.body)]).toEqual(["application/json", body]);
        const changed = Uint8Array.from(closed.body);
        const index = at % changed.length;
        changed[index] = (changed[index] as number) ^ (1 << bit);
        expect(() => encrypted.decrypt(changed, place)).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/DECRYPTION|KEY_UNKNOWN|MOVED/) as unknown }),
        );
        expect(() => encrypted.decrypt(closed.body.subarray(0, index), place)).toThrow();
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["DECRYPTION_FAILED", { ...place, id: "2" }],
    ["DECRYPTION_FAILED", { ...place, task: "other" }],
    ["DECRYPTION_FAILED", { ...place, domain: "result" }],
    ["MESSAGE_MOVED", { ...place, queue: "other" }],
  ] as const)("%s at another place", (code, other) => {
    const closed = encrypted.encrypt({ contentType: "application/json", body: Buffer.from("1") }, place);
    expect(() => encrypted.decrypt(closed.body, other)).toThrow(expect.objectContaining({ code }));
  });

  test("keys change without a gap", () => {
    const next = aesKey("e2", randomBytes(32));
    const closed = encrypted.encrypt({ contentType: "a/b", body: Buffer.from("1") }, place);
    expect(encryption({ keys: [next, key] }).decrypt(closed.body, place).contentType).toBe("a/b");
    expect(() => encryption({ keys: [next] }).decrypt(closed.body, place)).toThrow(
      expect.objectContaining({ code: "KEY_UNKNOWN" }),
    );
  });

  test("what is not encrypted is refused, unless a fleet just begins", async () => {
    const { broker, client, worker, captured } = await scene();
    const plain = await client();
    const message = await captured(plain, () => plain.enqueue(echo, "plain"));
    const strict = await worker([onEcho], { encryption: encrypted });
    await inject(broker, { ...message, hop: 1 });
    expect((await strict.next("task.rejected")).reason.code).toBe("ENCRYPTION_MISSING");
    await strict.close();
    const mild = encryption({ keys: [key], acceptPlain: true });
    const running = await worker([onEcho], { encryption: mild });
    await inject(broker, { ...message, hop: 2 });
    await running.next("task.succeeded");
  });

  test("a body swapped for that of another task is refused", async () => {
    const { broker, client, worker, captured } = await scene({ encryption: encrypted });
    const from = await client();
    const one = await captured(from, () => from.enqueue(echo, "one"));
    const two = await captured(from, () => from.enqueue(echo, "two"));
    const running = await worker([onEcho]);
    await inject(broker, { ...one, hop: 1, body: two.body });
    expect((await running.next("task.rejected")).reason.code).toBe("DECRYPTION_FAILED");
  });

  test.each([() => encryption({ keys: [] }), () => encryption({ keys: [key, key] }), () => aesKey("e", "c2hvcnQ=")])(
    "refuses %s",
    (make) => expect(make).toThrow(expect.objectContaining({ code: "OPTION_INVALID" })),
  );
});

describe("claim check", () => {
  const large = randomBytes(150_000).toString("base64");
  const kept = claimCheck({ above: 10_000 });

  test("a large input and a large result are kept beside, and the input is removed when it has ended", async () => {
    const { broker, state, client, worker } = await scene({ claimCheck: kept });
    const from = await client();
    const handle = await from.enqueue(echo, large);
    expect((await stored(broker)).length).toBeLessThan(1_000);
    expect(await bodies(state)).toBe(4);
    const running = await worker([onEcho]);
    expect(await handle.result({ timeout: "10s" })).toBe(large);
    await running.close();
    expect((await state.list(["body", "task"], { limit: 10 })).entries).toEqual([]);
    expect((await state.list(["body", "result"], { limit: 10 })).entries).toHaveLength(4);
    const small = await from.enqueue(echo, "small");
    expect(await stored(broker)).toContain('"small"');
    expect(small.id).toBeDefined();
  });

  test("more than may travel is taken, up to its own limit", async () => {
    const { client, worker } = await scene({ claimCheck: claimCheck({ above: 1_000, maxBytes: 3_000_000 }) });
    const from = await client({ maxBodyBytes: 2_000 });
    await worker([onEcho], { maxBodyBytes: 2_000 });
    const text = "x".repeat(2_500_000);
    expect(await (await from.enqueue(echo, text)).result({ timeout: "10s" })).toBe(text);
    await expect(from.enqueue(echo, "x".repeat(3_000_001))).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  });

  test("a dead letter keeps its input, and its replay finds it", async () => {
    const { state, client, worker } = await scene({ claimCheck: kept });
    const from = await client();
    await from.enqueue(echo, large);
    const failing = await worker([
      echo.handler(async () => {
        throw new Error("no");
      }),
    ]);
    await failing.next("task.failed");
    await failing.close();
    expect(await bodies(state)).toBe(4);
    const running = await worker([onEcho]);
    await from.deadLetters.replay("default", "all");
    await running.next("task.succeeded");
  });

  test("an input that is gone, or was altered, goes to the dead letters", async () => {
    const { state, broker, client, worker, captured } = await scene({ claimCheck: kept });
    const from = await client();
    const message = await captured(from, () => from.enqueue(echo, large));
    const [first] = (await state.list(["body"], { limit: 1 })).entries;
    const running = await worker([onEcho]);
    await state.put([{ key: first?.key ?? [], value: Buffer.alloc(65_536) }]);
    await inject(broker, { ...message, hop: 1 });
    expect((await running.next("task.rejected")).reason).toMatchObject({ code: "BODY_MISSING" });
    await state.delete([{ key: first?.key ?? [] }]);
    await inject(broker, { ...message, id: message.id, run: 1, hop: 2 });
    expect((await running.next("task.rejected")).reason.message).toContain("no longer");
  });

  test("a reference that claims too much, or is none, is refused before anything is fetched", async () => {
    const { broker, client, worker, captured } = await scene({ claimCheck: kept });
    const from = await client();
    const message = await captured(from, () => from.enqueue(echo, large));
    const claim = JSON.parse(Buffer.from(message.body).toString()) as object;
    const running = await worker([onEcho]);
    const send = async (body: unknown, run: number): Promise<string> => {
      await inject(broker, { ...message, run, hop: run, body: Buffer.from(JSON.stringify(body)) } as Message);
      return (await running.next("task.rejected")).reason.code;
    };
    expect(await send({ ...claim, bytes: 2 ** 40 }, 1)).toBe("MESSAGE_TOO_LARGE");
    expect(await send({ ...claim, key: "../other" }, 2)).toBe("MESSAGE_MALFORMED");
    expect(await send({ ...claim, bytes: -1 }, 3)).toBe("MESSAGE_MALFORMED");
    expect(await send([], 4)).toBe("MESSAGE_MALFORMED");
    expect(await send({ ...claim, contentType: message.contentType }, 5)).toBe("MESSAGE_MALFORMED");
  });

  test("what was enqueued twice is kept once", async () => {
    const { state, client } = await scene({ claimCheck: kept });
    const from = await client();
    for (const _ of [1, 2]) await from.enqueue(echo, large, { id: "same" });
    expect(await bodies(state)).toBe(4);
  });

  test("without a state store the worker does not start, and the client does not enqueue", async () => {
    const { client, worker } = await scene({ claimCheck: kept, state: false });
    await expect(worker([onEcho])).rejects.toMatchObject({ code: "STATE_REQUIRED" });
    await expect((await client()).enqueue(echo, large)).rejects.toMatchObject({ code: "STATE_REQUIRED" });
  });

  test("a reader that was not given it reads it all the same", async () => {
    const { client, worker } = await scene();
    const from = await client({ claimCheck: kept });
    await worker([onEcho]);
    expect(await (await from.enqueue(echo, large)).result({ timeout: "10s" })).toBe(large);
  });
});

test("all together: compressed, encrypted, kept beside, signed", async () => {
  const { broker, client, worker } = await scene({
    serializer: compressed(jsonSerializer(), { above: 100 }),
    encryption: encrypted,
    claimCheck: claimCheck({ above: 1_000 }),
    signatures: oneSecret(),
  });
  const from = await client();
  const text = randomBytes(100_000).toString("hex");
  const handle = await from.enqueue(echo, text);
  const short = await from.enqueue(echo, "short");
  expect((await stored(broker)).length).toBeLessThan(2_000);
  await worker([onEcho]);
  expect(await handle.result({ timeout: "10s" })).toBe(text);
  expect(await short.result({ timeout: "10s" })).toBe("short");
});
