import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { MessageError, OptionError } from "../errors.ts";
import type { Body, BodyPlace } from "./body.ts";
import { canonicalJson } from "./canonical-json.ts";
import { checkKeyId, readSecret } from "./key-material.ts";

/** A secret that encrypts and decrypts. Made by {@link aesKey}. */
export interface EncryptionKey {
  readonly id: string;
  readonly encrypt: (plain: Uint8Array, bound: Uint8Array) => Uint8Array;
  /** `undefined` where the bytes, or what they are bound to, are not what they were. */
  readonly decrypt: (secret: Uint8Array, bound: Uint8Array) => Uint8Array | undefined;
}

export interface EncryptionOptions {
  /**
   * The first encrypts; all decrypt. To change keys without a gap, add the new one behind the old everywhere, then put
   * it in front, then take the old one away once nothing encrypted with it is left. One key is good for 4,000 million
   * bodies.
   */
  readonly keys: readonly EncryptionKey[];
  /** Whether what is not encrypted is read, while a fleet begins to encrypt. Default false. */
  readonly acceptPlain?: boolean;
}

/** Encrypts inputs and results. Made by {@link encryption}, for `encryption` of a configuration. */
export interface Encryption {
  readonly acceptsPlain: boolean;
  encrypt(body: Body, place: BodyPlace): Body;
  /** @throws MessageError `DECRYPTION_FAILED`, `KEY_UNKNOWN`, `MESSAGE_MOVED`. */
  decrypt(body: Uint8Array, place: BodyPlace): Body;
}

export const encryptedType = "application/vnd.taskferry.encrypted";
const version = 1;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Encryption of inputs and results with AES-256-GCM, each bound to its id, task and queue. What errors, progress and
 * headers say is not encrypted.
 *
 * @throws OptionError `OPTION_INVALID`.
 */
export function encryption({ keys, acceptPlain = false }: EncryptionOptions): Encryption {
  const byId = new Map(keys.map((key) => [key.id, key]));
  const [first] = keys;
  if (first === undefined)
    throw new OptionError("OPTION_INVALID", "encryption, keys: expected at least one, got none.");
  if (byId.size < keys.length) {
    throw new OptionError("OPTION_INVALID", "encryption, keys: expected ids that differ, got two keys of one id.");
  }
  return {
    acceptsPlain: acceptPlain,
    encrypt: ({ contentType, body }, place) => {
      const plain = Buffer.concat([packText(contentType), body]);
      const head = Buffer.concat([Buffer.of(version), packText(first.id), packText(place.queue)]);
      const secret = first.encrypt(plain, boundTo(head, place));
      return { contentType: encryptedType, body: Buffer.concat([head, secret]) };
    },
    decrypt: (body, place) => {
      const { keyId, queue, head, secret } = readFrame(body);
      if (place.queue !== queue) throw moved(place.queue, queue);
      const key = byId.get(keyId);
      if (key === undefined) throw unknownKey(keyId);
      const plain = key.decrypt(secret, boundTo(head, place));
      if (plain === undefined) throw failed("bytes that are not what they were, or of another task");
      const [contentType, content] = readText(plain, 0);
      return { contentType, body: content };
    },
  };
}

/**
 * A key for AES-256-GCM.
 *
 * @param secret - 32 bytes, as they are or in base64.
 * @throws OptionError `OPTION_INVALID`.
 */
export function aesKey(id: string, secret: string | Uint8Array): EncryptionKey {
  const key = readSecret(checkKeyId(id), secret, { from: 32, to: 32 });
  return {
    id,
    encrypt: (plain, bound) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(bound);
      const secretBytes = [nonce, cipher.update(plain), cipher.final()];
      return Buffer.concat([...secretBytes, cipher.getAuthTag()]);
    },
    decrypt: (bytes, bound) => {
      if (bytes.length < nonceBytes + tagBytes) return undefined;
      const end = bytes.length - tagBytes;
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
        .setAAD(bound)
        .setAuthTag(bytes.subarray(end));
      const plain = decipher.update(bytes.subarray(nonceBytes, end));
      try {
        decipher.final();
        return plain;
      } catch {
        return undefined;
      }
    },
  };
}

/** What the tag covers besides the secret bytes; the head holds the version, the key's id and the queue. */
function boundTo(head: Uint8Array, { domain, id, task }: Pick<BodyPlace, "domain" | "id" | "task">): Uint8Array {
  return Buffer.concat([Buffer.from(`taskferry.${domain}\n${canonicalJson([id, task])}\n`), head]);
}

/** A short text with its length in front. */
function packText(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  if (bytes.length > 255)
    throw new OptionError("OPTION_INVALID", `Expected a text of at most 255 bytes, got ${bytes.length}.`);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

function readText(bytes: Uint8Array, at: number): readonly [string, Uint8Array] {
  const end = at + 1 + (bytes[at] ?? Number.POSITIVE_INFINITY);
  if (end > bytes.length) throw failed("bytes that end too early");
  return [Buffer.from(bytes.subarray(at + 1, end)).toString(), bytes.subarray(end)];
}

interface Frame {
  readonly keyId: string;
  readonly queue: string;
  readonly head: Uint8Array;
  readonly secret: Uint8Array;
}

function readFrame(body: Uint8Array): Frame {
  if (body[0] !== version) throw failed("a form that this version does not know");
  const [keyId, rest] = readText(body, 1);
  const [queue, secret] = readText(rest, 0);
  return { keyId, queue, head: body.subarray(0, body.length - secret.length), secret };
}

function failed(found: string): MessageError {
  return new MessageError("DECRYPTION_FAILED", `Expected what a holder of one of the keys encrypted, got ${found}.`);
}

function moved(expected: string, found: string): MessageError {
  return new MessageError(
    "MESSAGE_MOVED",
    `Expected messages of the queue "${expected}", got one that was encrypted for the queue "${found}".`,
  );
}

function unknownKey(keyId: string): MessageError {
  return new MessageError(
    "KEY_UNKNOWN",
    `Expected what one of the configured keys encrypted, got that of the unknown key ${JSON.stringify(keyId.slice(0, 40))}. Add the key to \`keys\` of \`encryption\`.`,
  );
}
