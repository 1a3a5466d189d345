import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMessage, ed25519Key, hmacKey, type Message, type SignatureKey, signatures } from "../../src/index.ts";
import { decodeOutcome, encodeOutcome, type StoredOutcome } from "../../src/outcome.ts";
import { canonicalJson } from "../../src/protection/canonical-json.ts";
import { createSeal } from "../../src/protection/seal.ts";
import { signMessage, verifyMessage } from "../../src/protection/signed-message.ts";
import { signOutcome, verifyOutcome } from "../../src/protection/signed-outcome.ts";
import { flipped, oneSecret, pair, secret } from "./setup.ts";

const message: Message = {
  id: "task-1",
  run: 0,
  hop: 0,
  task: "pay",
  queue: "money",
  attempt: 0,
  enqueuedAt: Date.now(),
  expiresAt: Date.now() + 60_000,
  priority: 7,
  contentType: "application/json",
  policy: { attempts: 3, backoff: { from: 1, to: 2 } },
  headers: { tenant: "acme", actor: "é" },
  body: Buffer.from('{"amount":10}'),
};
const outcome: StoredOutcome = {
  id: "task-1",
  run: 0,
  task: "pay",
  attempt: 0,
  status: "succeeded",
  enqueuedAt: 1.5,
  startedAt: 2,
  finishedAt: 3,
  worker: "w",
  ttl: 4,
  result: { contentType: "application/json", body: Buffer.from('"done"') },
};
const keys: readonly (readonly [string, SignatureKey])[] = [
  ["HMAC-SHA256", hmacKey("k1", secret)],
  ["Ed25519", ed25519Key("k1", pair())],
];
/** What workers and brokers change on the way, and a reader believes within bounds. */
const unsignedHeaders: ReadonlySet<string> = new Set(["attempt", "hop", "notBefore", "traceparent", "tracestate"]);

describe.each(keys)("%s", (_, key) => {
  const ring = signatures({ keys: [key] });

  test("any flipped bit of a signed message is refused, or changes nothing that is signed", () => {
    const signed = signMessage(message, ring);
    expect(verifyMessage(signed, "money", ring)).toBe(Math.ceil((message.expiresAt ?? 0) + ring.validFor));
    let refused = 0;
    for (const bytes of flipped(signed)) {
      let read: Message;
      try {
        read = decodeMessage(bytes);
        verifyMessage(read, "money", ring);
      } catch (error) {
        expect((error as { readonly code: string }).code).toMatch(/^(MESSAGE_|SIGNATURE_|KEY_)/);
        refused += 1;
        continue;
      }
      const changed = Object.entries(read).filter(
        ([name, value]) => canonicalJson(value) !== canonicalJson(signed[name as keyof Message]),
      );
      expect(changed.filter(([name]) => name in message && !unsignedHeaders.has(name))).toEqual([]);
    }
    expect(refused).toBeGreaterThan(300);
  });

  test("any flipped bit of any body is refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(), fc.nat(7), (body, at, bit) => {
        const signed = signMessage({ ...message, body }, ring);
        const changed = Uint8Array.from(body);
        const place = at % body.length;
        changed[place] = (changed[place] as number) ^ (1 << bit);
        expect(() => verifyMessage({ ...signed, body: changed }, "money", ring)).toThrow(
          expect.objectContaining({ code: "SIGNATURE_INVALID" }),
        );
      }),
      { numRuns: 200 },
    );
  });

  test("what workers change on the way is not signed, and is bounded", () => {
    const signed = signMessage(message, ring);
    const retried = { ...signed, attempt: 2, hop: 3, notBefore: 5, traceparent: "00-a-b-01" };
    expect(verifyMessage(retried, "money", ring)).toBeDefined();
    for (const counters of [
      { attempt: 3, hop: 2 },
      { attempt: 1_001, hop: 2_000 },
    ]) {
      expect(() => verifyMessage({ ...signed, ...counters }, "money", ring)).toThrow(
        expect.objectContaining({ code: "SIGNATURE_INVALID" }),
      );
    }
  });

  test.each<Partial<Message>>([
    { id: "task-2" },
    { run: 1 },
    { task: "refund" },
    { enqueuedAt: 1 },
    { expiresAt: 9e15 / 2 },
    { priority: 9 },
    { contentType: "text/plain" },
    { policy: { attempts: 1_000 } },
    { headers: { tenant: "other" } },
    { headers: {} },
    { body: Buffer.from('{"amount":11}') },
    { signature: "1:k1:1:AAAA" },
    { signature: "none" },
  ])("with another %o it is refused", (change) => {
    expect(() => verifyMessage({ ...signMessage(message, ring), ...change }, "money", ring)).toThrow(
      expect.objectContaining({ code: "SIGNATURE_INVALID" }),
    );
  });

  test("any flipped bit of an outcome that is kept is refused", () => {
    const failed: StoredOutcome = { ...outcome, status: "failed", error: { name: "E", message: "no", code: "X" } };
    const { result: _, ...withoutResult } = failed;
    for (const signed of [signOutcome(outcome, ring), signOutcome(withoutResult, ring)]) {
      const bytes = encodeOutcome(signed);
      verifyOutcome(decodeOutcome(bytes), ring);
      for (let place = 0; place < bytes.length; place += 1) {
        const changed = Uint8Array.from(bytes);
        changed[place] = (changed[place] as number) ^ (1 << (place % 8));
        let read: StoredOutcome;
        try {
          read = decodeOutcome(changed);
          verifyOutcome(read, ring);
        } catch (error) {
          expect((error as { readonly code: string }).code).toMatch(/^(MESSAGE_|SIGNATURE_|KEY_)/);
          continue;
        }
        // How long it is kept is the backend's business.
        expect({ ...read, ttl: 0 }).toEqual({ ...decodeOutcome(bytes), ttl: 0 });
      }
    }
  });

  test("a signature for one use is worth nothing for another", () => {
    const content = { facts: "[]", body: Buffer.from("x") };
    const token = ring.sign("result", content, 0) as string;
    expect(ring.verify("result", content, token)).toBe(0);
    for (const domain of ["task", "control"] as const) {
      expect(() => ring.verify(domain, content, token)).toThrow(expect.objectContaining({ code: "SIGNATURE_INVALID" }));
    }
  });
});

describe("keys", () => {
  const one = hmacKey("one", secret);
  const two = hmacKey("two", Buffer.alloc(32, "t"));

  test("the first signs, all verify, one that is gone is unknown", () => {
    const old = signatures({ keys: [one] });
    const both = signatures({ keys: [two, one] });
    const after = signatures({ keys: [two] });
    const [before, now] = [signMessage(message, old), signMessage(message, both)];
    for (const signed of [before, now]) expect(verifyMessage(signed, "money", both)).toBeDefined();
    expect(() => verifyMessage(before, "money", after)).toThrow(expect.objectContaining({ code: "KEY_UNKNOWN" }));
  });

  test("a key is for its uses alone", () => {
    const [web, worker] = [pair(), pair()];
    const webKey = ed25519Key("web", { privateKey: web.privateKey, uses: ["task"] });
    const workerKey = ed25519Key("worker", { privateKey: worker.privateKey, uses: ["result", "control"] });
    const client = signatures({ keys: [webKey, ed25519Key("worker", { ...worker, uses: ["result", "control"] })] });
    const runner = signatures({ keys: [ed25519Key("web", { publicKey: web.publicKey, uses: ["task"] }), workerKey] });
    expect(verifyMessage(signMessage(message, client), "money", runner)).toBeDefined();
    expect(() => signMessage(message, runner)).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID" }));
    verifyOutcome(signOutcome(outcome, runner), client);
    // The worker signs with its key what only clients may.
    const thief = signatures({ keys: [ed25519Key("worker", { privateKey: worker.privateKey })] });
    expect(() => verifyMessage(signMessage(message, thief), "money", runner)).toThrow(
      expect.objectContaining({ code: "KEY_UNKNOWN" }),
    );
  });

  test.each([
    () => hmacKey("k", "c2hvcnQ="),
    () => hmacKey("k", "not base64!"),
    () => hmacKey("k", 5 as never),
    () => hmacKey("a:b", secret),
    () => hmacKey("", secret),
    () => ed25519Key("k", {}),
    () => ed25519Key("k", { publicKey: "-----BEGIN SECRET-----" }),
    () => signatures({ keys: [] }),
    () => signatures({ keys: [one, hmacKey("one", secret)] }),
  ])("refuses %s", (make) => {
    expect(make).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  test("no secret stands in an error or in what is printed", async () => {
    const { inspect } = await import("node:util");
    const text = "q".repeat(20);
    expect(() => hmacKey("k", text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining(text) }));
    const { privateKey } = pair();
    const lines = privateKey.split("\n").slice(1, -2);
    const shown = inspect([hmacKey("k", secret), ed25519Key("e", { privateKey })], { depth: 9 });
    expect(shown).not.toContain(secret.toString());
    for (const line of lines) expect(shown).not.toContain(line);
  });
});

describe("seal", () => {
  const seal = createSeal(oneSecret());
  const value = Buffer.from('{"run":0}');

  test("opens what was sealed for that place and time, and nothing else", () => {
    const sealed = seal.seal(["cancelled", "1"], value);
    expect(Buffer.from(seal.open(["cancelled", "1"], sealed)).toString()).toBe('{"run":0}');
    expect(() => seal.open(["cancelled", "2"], sealed)).toThrow(expect.objectContaining({ code: "SIGNATURE_INVALID" }));
    expect(() => seal.open(["cancelled", "1"], value)).toThrow(expect.objectContaining({ code: "SIGNATURE_MISSING" }));
    expect(() => seal.open(["k"], seal.seal(["k"], value, Date.now() - 1))).toThrow(
      expect.objectContaining({ code: "SIGNATURE_EXPIRED" }),
    );
    expect(seal.open(["k"], seal.seal(["k"], value, Date.now() + 60_000))).toEqual(value);
  });

  test("any flipped bit is refused", () => {
    const sealed = seal.seal(["k"], value);
    for (let place = 0; place < sealed.length; place += 1) {
      const changed = Uint8Array.from(sealed);
      changed[place] = (changed[place] as number) ^ (1 << (place % 8));
      expect(() => seal.open(["k"], changed)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^(SIGNATURE_|KEY_)/) as unknown }),
      );
    }
  });

  test("without signatures values stay as they are, and sealed ones are read", () => {
    const none = createSeal(undefined);
    expect(none.seal(["k"], value)).toBe(value);
    expect(none.open(["k"], value)).toBe(value);
    expect(Buffer.from(none.open(["k"], seal.seal(["k"], value))).toString()).toBe('{"run":0}');
    expect(createSeal(oneSecret({ acceptUnsigned: ["control"] })).open(["k"], value)).toBe(value);
  });
});
