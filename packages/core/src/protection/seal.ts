import { MessageError } from "../errors.ts";
import type { StateKey } from "../state-store.ts";
import { canonicalJson } from "./canonical-json.ts";
import { cannotSign, type Signatures } from "./signatures.ts";

/**
 * Signs what controls workers: records in the state store such as cancellations and pauses, so that whoever can write
 * there cannot control them. Without `signatures` in the configuration, values stay as they are.
 */
export interface Seal {
  /**
   * The value as it is to be written under `key`, which the seal covers too: moved elsewhere it is worth nothing.
   *
   * @param until - wall-clock epoch milliseconds after which it is worth nothing any more. Default: for ever.
   * @throws ConfigurationError `CONFIGURATION_INVALID` where no key here may sign for `control`.
   */
  seal(key: StateKey, value: Uint8Array, until?: number): Uint8Array;
  /**
   * The value of what was read under `key`. What is refused must be ignored, as if it were not there, and logged.
   *
   * @throws MessageError `SIGNATURE_MISSING`, `SIGNATURE_INVALID`, `SIGNATURE_EXPIRED`, `KEY_UNKNOWN`.
   */
  open(key: StateKey, sealed: Uint8Array): Uint8Array;
}

const prefix = Buffer.from("tf-seal:");
const newline = 0x0a;
/** Bytes of a seal at most. */
const longest = 400;

export function createSeal(signatures: Signatures | undefined): Seal {
  return {
    seal: (key, value, until = 0) => {
      const token = signatures?.sign("control", { facts: canonicalJson(key), body: value }, until);
      if (token === undefined && signatures?.accepts("control") === false) throw cannotSign("control");
      return token === undefined ? value : Buffer.concat([prefix, Buffer.from(`${token}\n`), value]);
    },
    open: (key, sealed) => {
      const parts = split(sealed);
      // One that signs may have written what one reads that does not yet.
      if (signatures === undefined) return parts?.value ?? sealed;
      if (parts !== undefined) return check(key, parts, signatures);
      if (signatures.accepts("control")) return sealed;
      throw new MessageError(
        "SIGNATURE_MISSING",
        `Expected a signed record at ${key.join("/")} in the state store, got one without a signature. Find who else writes there.`,
      );
    },
  };
}

interface Parts {
  readonly token: string;
  readonly value: Uint8Array;
}

function check(key: StateKey, { token, value }: Parts, signatures: Signatures): Uint8Array {
  const until = signatures.verify("control", { facts: canonicalJson(key), body: value }, token);
  if (until === 0 || until > Date.now()) return value;
  throw new MessageError(
    "SIGNATURE_EXPIRED",
    `Expected a record at ${key.join("/")} in the state store that still holds, got one that held until ${new Date(until).toISOString()}.`,
  );
}

function split(sealed: Uint8Array): Parts | undefined {
  if (sealed.length < prefix.length || prefix.compare(sealed, 0, prefix.length) !== 0) return undefined;
  const end = sealed.subarray(0, longest).indexOf(newline);
  if (end === -1) return undefined;
  const token = Buffer.from(sealed.subarray(prefix.length, end)).toString("latin1");
  return { token, value: sealed.subarray(end + 1) };
}
