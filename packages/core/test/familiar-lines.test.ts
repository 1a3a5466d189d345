import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeMessage, encodeMessage, fromHeaders, type Message } from "../src/index.ts";

const plain: Message = {
  id: "a1",
  run: 0,
  hop: 0,
  task: "familiar.task",
  queue: "default",
  attempt: 0,
  enqueuedAt: 1_760_000_000_000,
  contentType: "application/json",
  body: Buffer.from("{}"),
};
const kinds: readonly Message[] = [
  plain,
  { ...plain, attempt: 2, hop: 2 },
  { ...plain, policy: { attempts: 3, backoff: { from: 1, to: 2 } } },
  { ...plain, priority: 9, replyTo: "inbox" },
  { ...plain, headers: { tenant: "a" } },
  { ...plain, plan: '{"next":1}' },
];
const kind = fc.constantFrom(...kinds);
const newline = 0x0a;

describe("a line of a known kind", () => {
  test("is read as any other, with whatever id and time", () => {
    const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,40}$/);
    fc.assert(
      fc.property(kind, fc.tuple(id, fc.nat(8.64e15), fc.uint8Array()), (known, [name, enqueuedAt, body]) => {
        decodeMessage(encodeMessage(known));
        const sent = { ...known, id: name, enqueuedAt, body: Buffer.from(body) };
        const read = decodeMessage(encodeMessage(sent));
        expect({ ...read, body: Buffer.from(read.body) }).toEqual(sent);
      }),
    );
  });

  test("with any byte changed is read, or refused, as one that was never seen", () => {
    fc.assert(
      fc.property(kind, fc.nat(), fc.nat(255), (known, place, byte) => {
        const bytes = Buffer.from(encodeMessage(known));
        decodeMessage(bytes);
        const end = bytes.indexOf(newline);
        const changed = Buffer.from(bytes);
        changed[place % end] = byte;
        expect(outcomeOf(() => decodeMessage(changed))).toEqual(outcomeOf(() => readAnew(changed)));
      }),
      { numRuns: 5_000 },
    );
  });

  test("is not taken for what has a second id, a time with a nought before it, or a time too late", () => {
    decodeMessage(encodeMessage(plain));
    for (const line of [
      '{"v":1,"id":"b","run":0,"hop":0,"task":"familiar.task","queue":"default","attempt":0,"enqueuedAt":01,"contentType":"application/json"}',
      '{"v":1,"id":"b","run":0,"hop":0,"task":"familiar.task","queue":"default","attempt":0,"enqueuedAt":999999999999999999,"contentType":"application/json"}',
      '{"v":1,"id":"","run":0,"hop":0,"task":"familiar.task","queue":"default","attempt":0,"enqueuedAt":1,"contentType":"application/json"}',
    ])
      expect(() => decodeMessage(Buffer.from(`${line}\n`))).toThrow(
        expect.objectContaining({ code: "MESSAGE_MALFORMED" }),
      );
    const twice = (id: string): Buffer =>
      Buffer.from(
        `{"v":1,"id":"${id}","run":0,"hop":0,"task":"familiar.task","queue":"default","attempt":0,"enqueuedAt":1,"contentType":"application/json","id":"c"}\n`,
      );
    expect(decodeMessage(twice("c")).id).toBe("c");
    expect(decodeMessage(twice("d")).id).toBe("c");
  });

  test("shares nothing that could be changed with the next", () => {
    const known = { ...plain, policy: { attempts: 3, backoff: { from: 1, to: 2 } } };
    decodeMessage(encodeMessage(known));
    const { policy } = decodeMessage(encodeMessage({ ...known, id: "b" }));
    expect(Object.isFrozen(policy) && Object.isFrozen(policy?.backoff)).toBe(true);
  });

  test("is still known among many others", () => {
    const task = (index: number): Message => ({ ...plain, task: `task${index}` });
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 40; index += 1) {
        const read = decodeMessage(encodeMessage({ ...task(index), id: `id${round}` }));
        expect({ id: read.id, task: read.task }).toEqual({ id: `id${round}`, task: `task${index}` });
      }
    }
  });
});

/** What the specification says, by the general way alone. */
function readAnew(bytes: Buffer): Message {
  const end = bytes.indexOf(newline);
  return fromHeaders(JSON.parse(bytes.toString("utf8", 0, end)), bytes.subarray(end + 1));
}

function outcomeOf(read: () => Message): unknown {
  try {
    const { body, ...rest } = read();
    return { ...rest, body: Buffer.from(body).toString("hex") };
  } catch {
    return "refused";
  }
}
