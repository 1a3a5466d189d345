import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signWith,
  timingSafeEqual,
  verify as verifyWith,
} from "node:crypto";
import { type Duration, parseDuration } from "../duration.ts";
import { ConfigurationError, MessageError, OptionError } from "../errors.ts";
import type { ProtectedDomain } from "./body.ts";
import { checkKeyId, readSecret } from "./key-material.ts";

/** A key that signs, or tells whether another signed. Made by {@link hmacKey} and {@link ed25519Key}. */
export interface SignatureKey {
  readonly id: string;
  readonly algorithm: "hmac-sha256" | "ed25519";
  /** What a signature of it is accepted for. */
  readonly uses: readonly ProtectedDomain[];
  /** Absent for a key that can only verify. */
  readonly sign?: (bytes: Uint8Array) => Uint8Array;
  readonly verify: (bytes: Uint8Array, signature: Uint8Array) => boolean;
}

export interface SignaturesOptions {
  /**
   * The first that may sign for a domain signs; all verify. To change keys without a gap, add the new one behind the
   * old everywhere, then put it in front, then take the old one away once nothing signed with it is left.
   */
  readonly keys: readonly SignatureKey[];
  /** How long a message may be run after it was enqueued, or after its delay or its `expires`. Default `"7d"`. */
  readonly validFor?: Duration;
  /**
   * `"refused"` (default): workers keep in the state store, for as long as a signature is valid, which tasks have ended,
   * and run none of them again. `"allowed"`: no state store is needed, and a copy of a message runs as the message did.
   */
  readonly replays?: "refused" | "allowed";
  /** Where what is not signed is taken as it is, while a fleet begins to sign. Default: nowhere. */
  readonly acceptUnsigned?: readonly ProtectedDomain[];
}

/** Signs what travels, and refuses what is not signed. Made by {@link signatures}, for `signatures` of a configuration. */
export interface Signatures {
  readonly validFor: number;
  readonly refusesReplays: boolean;
  accepts(domain: ProtectedDomain): boolean;
  canSign(domain: ProtectedDomain): boolean;
  /** A token over `content` that holds until that time; `undefined` where no key may sign for the domain. */
  sign(domain: ProtectedDomain, content: SignedContent, until: number): string | undefined;
  /**
   * Resolves to the time until which the token holds; whether that is over is for the caller to judge.
   *
   * @throws MessageError `KEY_UNKNOWN`, `SIGNATURE_INVALID`.
   */
  verify(domain: ProtectedDomain, content: SignedContent, token: string): number;
}

/** What a signature covers: facts as one line of text, and bytes. */
export interface SignedContent {
  readonly facts: string;
  readonly body: Uint8Array;
}

const allDomains: readonly ProtectedDomain[] = ["task", "result", "control"];

/**
 * Signatures of tasks, results and control records.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function signatures(options: SignaturesOptions): Signatures {
  const { keys, acceptUnsigned = [], replays = "refused" } = options;
  const byId = new Map(keys.map((key) => [key.id, key]));
  if (keys.length === 0) throw new OptionError("OPTION_INVALID", "signatures, keys: expected at least one, got none.");
  if (byId.size < keys.length) {
    throw new OptionError("OPTION_INVALID", "signatures, keys: expected ids that differ, got two keys of one id.");
  }
  const signerOf = (domain: ProtectedDomain): SignatureKey | undefined =>
    keys.find(({ sign, uses }) => sign !== undefined && uses.includes(domain));
  const signers = { task: signerOf("task"), result: signerOf("result"), control: signerOf("control") };
  return {
    validFor: parseDuration(options.validFor ?? "7d", "signatures, validFor"),
    refusesReplays: replays === "refused",
    accepts: (domain) => acceptUnsigned.includes(domain),
    canSign: (domain) => signers[domain] !== undefined,
    sign: (domain, content, until) => {
      const key = signers[domain];
      if (key?.sign === undefined) return undefined;
      const head = `1:${key.id}:${until}`;
      const signature = key.sign(signedBytes(domain, head, content));
      return `${head}:${Buffer.from(signature.buffer, signature.byteOffset, signature.length).toString("base64url")}`;
    },
    verify: (domain, content, token) => verifyToken(byId, { domain, content, token }),
  };
}

/**
 * A secret that client and worker share: whoever can verify can sign too.
 *
 * @param secret - at least 32 bytes, as they are or in base64.
 * @throws OptionError `OPTION_INVALID`.
 */
export function hmacKey(
  id: string,
  secret: string | Uint8Array,
  options: { readonly uses?: readonly ProtectedDomain[] } = {},
): SignatureKey {
  const bytes = readSecret(checkKeyId(id), secret, { from: 32, to: Number.POSITIVE_INFINITY });
  const sign = (signed: Uint8Array): Uint8Array => createHmac("sha256", bytes).update(signed).digest();
  return {
    id,
    algorithm: "hmac-sha256",
    uses: options.uses ?? allDomains,
    sign,
    verify: (signed, signature) => signature.length === 32 && timingSafeEqual(sign(signed), signature),
  };
}

/**
 * A pair of keys: who holds only the public one verifies and cannot sign.
 *
 * @param options - keys in PEM or as key objects; one of the two is enough, the private one implies the public one.
 * @throws OptionError `OPTION_INVALID`.
 */
export function ed25519Key(
  id: string,
  options: {
    readonly publicKey?: string | KeyObject;
    readonly privateKey?: string | KeyObject;
    readonly uses?: readonly ProtectedDomain[];
  },
): SignatureKey {
  checkKeyId(id);
  const { publicKey, privateKey, uses = allDomains } = options;
  const secret = privateKey === undefined ? undefined : readKey(id, () => asPrivate(privateKey));
  const known = readKey(id, () => (publicKey === undefined ? asPublic(secret) : asPublic(publicKey)));
  return {
    id,
    algorithm: "ed25519",
    uses,
    ...(secret !== undefined && { sign: (signed: Uint8Array) => signWith(null, signed, secret) }),
    verify: (signed, signature) => verifyWith(null, signed, known, signature),
  };
}

function asPrivate(key: string | KeyObject): KeyObject {
  return typeof key === "string" ? createPrivateKey(key) : key;
}

function asPublic(key: string | KeyObject | undefined): KeyObject {
  if (key === undefined) throw new Error("neither a public nor a private key was given");
  return typeof key !== "string" && key.type === "public" ? key : createPublicKey(key);
}

function readKey(id: string, read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch {
    // What the parser says could quote the key.
    throw new OptionError("OPTION_INVALID", `Key ${id}: expected an Ed25519 key in PEM or as a key object.`);
  }
  if (key.asymmetricKeyType === "ed25519") return key;
  throw new OptionError(
    "OPTION_INVALID",
    `Key ${id}: expected an Ed25519 key, got ${key.asymmetricKeyType ?? "a secret"}.`,
  );
}

const tokenPattern = /^1:([A-Za-z0-9_-]{1,40}):(\d{1,16}):([A-Za-z0-9_-]{1,200})$/;

function verifyToken(
  keys: ReadonlyMap<string, SignatureKey>,
  {
    domain,
    content,
    token,
  }: { readonly domain: ProtectedDomain; readonly content: SignedContent; readonly token: string },
): number {
  const [, keyId = "", until = "", signature = ""] = tokenPattern.exec(token) ?? [];
  if (keyId === "") throw invalid("a signature in a form that this version does not know");
  const key = keys.get(keyId);
  if (key === undefined || !key.uses.includes(domain)) throw unknownKey(keyId, domain, key !== undefined);
  const bytes = Buffer.from(signature, "base64url");
  // One text for one signature: base64 has several for the same bytes.
  const isCanonical = bytes.toString("base64url") === signature && String(Number(until)) === until;
  if (!isCanonical || !key.verify(signedBytes(domain, `1:${keyId}:${until}`, content), bytes)) {
    throw invalid("other content than was signed");
  }
  return Number(until);
}

function signedBytes(domain: ProtectedDomain, head: string, { facts, body }: SignedContent): Uint8Array {
  const text = `taskferry.${domain}\n${head}\n${facts}\n`;
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(text) + body.length);
  bytes.set(body, bytes.write(text));
  return bytes;
}

/** What a writer has no key for, its readers would refuse. */
export function cannotSign(domain: ProtectedDomain): ConfigurationError {
  return new ConfigurationError(
    "CONFIGURATION_INVALID",
    `signatures: expected a key that may sign for "${domain}", got none. Give this process a private or secret key with it in \`uses\`, or list it in \`acceptUnsigned\` everywhere.`,
  );
}

function invalid(found: string): MessageError {
  return new MessageError("SIGNATURE_INVALID", `Expected what a holder of one of the keys signed, got ${found}.`);
}

function unknownKey(keyId: string, domain: ProtectedDomain, isKnown: boolean): MessageError {
  const found = isKnown ? `that of "${keyId}", which is not for that use` : `that of the unknown key "${keyId}"`;
  return new MessageError(
    "KEY_UNKNOWN",
    `Expected the signature of a ${domain} by one of the configured keys, got ${found}. Add the key to \`keys\` of \`signatures\`.`,
  );
}
