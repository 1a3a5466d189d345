import { createHash, randomBytes } from "node:crypto";
import { type Duration, parseDuration } from "../duration.ts";
import { ConfigurationError, MessageError, OptionError } from "../errors.ts";
import { maxStateValueBytes, type StateKey, type StateStore } from "../state-store.ts";
import type { Body, BodyPlace } from "./body.ts";

export interface ClaimCheckOptions {
  /** Bytes of a serialized input or result above which it is kept beside its message. Default 128 KiB. */
  readonly above?: number;
  /** Bytes of an input or result at most. Default 64 MiB. */
  readonly maxBytes?: number;
  /** How long an input is kept, from when it may start: it outlasts the longest wait in the queue. Default `"7d"`. */
  readonly ttl?: Duration;
}

/** Keeps what is large in the state store. Made by {@link claimCheck}, for `claimCheck` of a configuration. */
export interface ClaimCheck {
  readonly above: number;
  readonly maxBytes: number;
  readonly ttl: number;
}

/**
 * Large inputs and results are kept in the state store, in pieces, and only a reference travels. An input is removed when
 * its task has succeeded or was cancelled; one in the dead letters is kept until its time is over, for a replay. A result
 * is kept for as long as its outcome.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function claimCheck(options: ClaimCheckOptions = {}): ClaimCheck {
  const above = checkBytes("above", options.above ?? 128 * 1_024);
  const maxBytes = checkBytes("maxBytes", options.maxBytes ?? defaultMaxBytes);
  return { above, maxBytes, ttl: parseDuration(options.ttl ?? "7d", "claimCheck, ttl") };
}

export const claimType = "application/vnd.taskferry.claim+json";
const defaultMaxBytes = 64 * 1_024 * 1_024;
/** Pieces in one call to the store. */
const piecesPerCall = 8;

/** Where pieces are kept, and how much is read at most. Reading needs no `claimCheck`: it goes by content type. */
export interface ClaimStore {
  readonly state: StateStore | undefined;
  readonly maxBytes?: number | undefined;
}

interface Claim extends Omit<Body, "body"> {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Puts a body away, and gives the reference that travels in its place. */
export async function checkIn(
  { contentType, body }: Body,
  place: BodyPlace,
  { state, ttl }: { readonly state: StateStore; readonly ttl: number },
): Promise<Body> {
  const key = randomBytes(16).toString("hex");
  const claim: Claim = { key, bytes: body.length, contentType, sha256: hash(body) };
  const keys = pieceKeys(claim, place);
  const entries = keys.map((pieceKey, index) => ({
    key: pieceKey,
    value: body.subarray(index * maxStateValueBytes, (index + 1) * maxStateValueBytes),
    ttl,
  }));
  for (let at = 0; at < entries.length; at += piecesPerCall) await state.put(entries.slice(at, at + piecesPerCall));
  return { contentType: claimType, body: Buffer.from(JSON.stringify(claim)) };
}

/** @throws MessageError `MESSAGE_MALFORMED`, `MESSAGE_TOO_LARGE`, `BODY_MISSING`; ConfigurationError `STATE_REQUIRED`. */
export async function checkOut(
  reference: Uint8Array,
  place: BodyPlace,
  { state, maxBytes = defaultMaxBytes }: ClaimStore,
): Promise<Body> {
  const claim = readClaim(reference);
  if (claim.bytes > maxBytes) throw tooLarge(claim.bytes, maxBytes);
  const keys = pieceKeys(claim, place);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < keys.length; at += piecesPerCall) {
    const entries = await requireState(state).get(keys.slice(at, at + piecesPerCall));
    for (const entry of entries) {
      if (entry === undefined) throw missing(place, "is there no longer, or is not all there");
      pieces.push(entry.value);
    }
  }
  const body = Buffer.concat(pieces);
  if (body.length !== claim.bytes || hash(body) !== claim.sha256) throw missing(place, "is not what was put there");
  return { contentType: claim.contentType, body };
}

/** Removes what a reference leads to; nothing for any other body. */
export async function discard({ contentType, body }: Body, place: BodyPlace, { state }: ClaimStore): Promise<void> {
  if (contentType !== claimType || state === undefined) return;
  const keys = pieceKeys(readClaim(body), place);
  for (let at = 0; at < keys.length; at += 16 * piecesPerCall) {
    await state.delete(keys.slice(at, at + 16 * piecesPerCall).map((key) => ({ key })));
  }
}

/** @throws ConfigurationError `STATE_REQUIRED`. */
export function requireState(state: StateStore | undefined): StateStore {
  if (state !== undefined) return state;
  throw new ConfigurationError(
    "STATE_REQUIRED",
    "Large inputs and results are kept in a state store (`claimCheck`). Set `state`, or a broker or result backend that offers one.",
  );
}

/** The keys lie under the task's id, so that a forged reference leads nowhere else. */
function pieceKeys({ key, bytes }: Claim, { domain, id }: BodyPlace): readonly StateKey[] {
  const count = Math.ceil(bytes / maxStateValueBytes);
  return Array.from({ length: count }, (_, index) => ["body", domain, id, key, String(index)]);
}

const keyPattern = /^[0-9a-f]{32}$/;

function readClaim(reference: Uint8Array): Claim {
  const { key, bytes, contentType, sha256 } = parse(reference);
  const isPlace = typeof key === "string" && keyPattern.test(key) && Number.isSafeInteger(bytes) && Number(bytes) > 0;
  if (isPlace && typeof contentType === "string" && typeof sha256 === "string" && contentType !== claimType) {
    return { key, bytes: Number(bytes), contentType, sha256 };
  }
  throw malformed();
}

function parse(reference: Uint8Array): { readonly [name in keyof Claim]?: unknown } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(reference).toString());
  } catch (cause) {
    throw malformed(cause);
  }
  if (typeof parsed === "object" && parsed !== null) return parsed;
  throw malformed();
}

function malformed(cause?: unknown): MessageError {
  const text = "Expected a reference to a body in the state store, got other bytes.";
  return new MessageError("MESSAGE_MALFORMED", text, cause === undefined ? {} : { cause });
}

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64url");
}

function missing({ domain, id }: BodyPlace, fault: string): MessageError {
  const what = domain === "task" ? "input" : "result";
  return new MessageError(
    "BODY_MISSING",
    `The ${what} of task ${id} was kept in the state store and ${fault}. Check that client and worker use the same \`state\`, and \`ttl\` of \`claimCheck\`.`,
    { id },
  );
}

function tooLarge(bytes: number, limit: number): MessageError {
  return new MessageError(
    "MESSAGE_TOO_LARGE",
    `Expected a body of at most ${limit} bytes in the state store, got one of ${bytes}. Raise \`maxBytes\` of \`claimCheck\` on both sides.`,
  );
}

function checkBytes(name: string, bytes: number): number {
  if (Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
  throw new OptionError("OPTION_INVALID", `claimCheck, ${name}: expected a whole number from 1, got ${String(bytes)}.`);
}
