import type { OutgoingMessage, PublishResult } from "../broker.ts";
import { ConfigurationError, MessageError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { defaultMaxBodyBytes, type Message } from "../message.ts";
import type { ResultBackend } from "../result-backend.ts";
import type { StateStore } from "../state-store.ts";
import type { Body, BodyPlace } from "./body.ts";
import { type ClaimCheck, checkIn, checkOut, claimType, discard, requireState } from "./claim-check.ts";
import { type Encryption, encryptedType } from "./encryption.ts";
import { protectedResults, type ResultProtection } from "./protected-results.ts";
import { createSeal } from "./seal.ts";
import { sealedState } from "./sealed-state.ts";
import { cannotSign, type Signatures } from "./signatures.ts";
import { isSigned, signMessage, verifyMessage, verifySignature } from "./signed-message.ts";

/** What a configuration says of protection. */
export interface ProtectionConfig {
  readonly signatures?: Signatures;
  readonly encryption?: Encryption;
  readonly claimCheck?: ClaimCheck;
  readonly maxBodyBytes?: number;
}

export interface ProtectedConnections {
  readonly results: ResultBackend | undefined;
  readonly state: StateStore | undefined;
}

type Publish = (outgoing: OutgoingMessage) => Promise<PublishResult>;

/**
 * Stands between bytes and their way: a body is encrypted, then kept beside its message where it is large, then the
 * message is signed; reading is the other way round. Without anything configured, all of it is the bytes themselves.
 */
export interface Protection {
  readonly signatures: Signatures | undefined;
  /**
   * The connections as everything but their opening sees them: what is written is protected, what is read was checked.
   * The same ones where there is nothing to do.
   */
  around<T extends ProtectedConnections>(connections: T, logger: Logger): T;
  /** @throws ConfigurationError `CONFIGURATION_INVALID` where no key here may sign what such a feature writes. */
  checkControl(hasResults: boolean): void;
  /** Bytes of a serialized input, or result, that may be given to it, where `limit` is what may travel. */
  limitOf(limit: number): number;
  /** The way to a broker, through protection. */
  wayOut(publish: Publish): Publish;
  /** Checks where a message comes from. Answers until when it may run; `undefined` where nobody says. Errors as of `verifyMessage`. */
  verify(message: Message, queue: string): number | undefined;
  /** Whether a message is what its client signed, whenever that was: what follows from others must not be signed here. */
  isAuthentic(message: Message): boolean;
  /**
   * The input as it was serialized; the message itself where it is so already.
   *
   * @throws MessageError `ENCRYPTION_MISSING`, `DECRYPTION_FAILED`, `KEY_UNKNOWN`, `MESSAGE_MOVED`, `BODY_MISSING`.
   */
  openInput(message: Message, queue: string): Body | Promise<Body>;
  /** Removes what was kept beside a message, once it has ended. */
  discardInput(message: Message): Promise<void> | undefined;
  /**
   * A message for another queue: what is bound to the one that it is in is opened, closed and signed anew.
   *
   * @param delay - milliseconds that it still waits.
   * @throws MessageError where it is not what was signed, or what protects it cannot be opened here.
   */
  moveTo(message: Message, queue: string, delay: number): Promise<Message>;
  /** A message for another run, signed anew. @throws MessageError where it is not what was signed. */
  signAgain(message: Message, next: Message): Message;
}

export function createProtection(config: ProtectionConfig, state: StateStore | undefined): Protection {
  const { signatures, encryption, claimCheck, maxBodyBytes = defaultMaxBodyBytes } = config;
  const store = { state, maxBytes: claimCheck?.maxBytes };
  const close = (body: Body, place: BodyPlace, ttl: number): Body | Promise<Body> => {
    const encrypted = encryption === undefined ? body : encryption.encrypt(body, place);
    if (claimCheck === undefined || encrypted.body.length <= claimCheck.above) return encrypted;
    return checkIn(encrypted, place, { state: requireState(state), ttl });
  };
  const open = (body: Body, place: BodyPlace): Body | Promise<Body> => {
    if (body.contentType !== claimType) return decrypt(body, place, encryption);
    return checkOut(body.body, place, store).then((found) => decrypt(found, place, encryption));
  };
  const protectMessage = (outgoing: OutgoingMessage): OutgoingMessage | Promise<OutgoingMessage> => {
    const { message, delay = 0 } = outgoing;
    const ttl = (claimCheck?.ttl ?? 0) + delay;
    return andThen(close(message, placeOf(message), ttl), ({ contentType, body }) => {
      if (body.length > maxBodyBytes) throw tooLarge(message.task, body.length, maxBodyBytes);
      const closed = { ...message, contentType, body };
      return { ...outgoing, message: signatures === undefined ? closed : signMessage(closed, signatures) };
    });
  };
  const isActive = signatures !== undefined || encryption !== undefined || claimCheck !== undefined;
  return {
    signatures,
    around: (connections, logger) => ({
      ...connections,
      results:
        connections.results !== undefined && isActive
          ? protectedResults(connections.results, { signatures, close, open, logger })
          : connections.results,
      state:
        connections.state !== undefined && signatures !== undefined
          ? sealedState(connections.state, createSeal(signatures), logger)
          : connections.state,
    }),
    checkControl: (hasResults) => {
      for (const domain of hasResults ? (["control", "result"] as const) : (["control"] as const)) {
        if (signatures?.canSign(domain) === false && !signatures.accepts(domain)) throw cannotSign(domain);
      }
    },
    limitOf: (limit) => Math.max(limit, claimCheck?.maxBytes ?? 0),
    wayOut: (publish) => {
      if (!isActive) return publish;
      return async (outgoing) => {
        const closed = await protectMessage(outgoing);
        const result = await publish(closed);
        // Nobody has this reference: a duplicate keeps the one that was there before.
        if (result.status === "refused" || result.status === "duplicate") {
          await discard(closed.message, placeOf(closed.message), store).catch(leaveToItsTime);
        }
        return result;
      };
    },
    verify: (message, queue) => (signatures === undefined ? undefined : verifyMessage(message, queue, signatures)),
    isAuthentic: (message) => signatures === undefined || isSigned(message, signatures),
    openInput: (message, queue) =>
      encryption === undefined && message.contentType !== claimType
        ? message
        : open(message, { ...placeOf(message), queue }),
    discardInput: (message) =>
      message.contentType === claimType ? discard(message, placeOf(message), store) : undefined,
    moveTo: async (message, queue, delay) => {
      const { contentType, body } = await openForMove(message, { signatures, open });
      return (await protectMessage({ message: { ...message, contentType, body, queue }, delay })).message;
    },
    signAgain: (message, next) => {
      if (signatures === undefined) return next;
      verifySignature(message, message.queue, signatures);
      return signMessage(next, signatures);
    },
  };
}

/** Pieces that cannot be removed end by themselves; the answer of the broker is what the caller has to know. */
function leaveToItsTime(): void {
  return undefined;
}

export interface WorkerSurroundings {
  readonly state: StateStore | undefined;
  readonly hasResults: boolean;
  /** Whether every worker gets each message: what has ended is then for each of them to know. */
  readonly isAlone: boolean;
}

/** @throws ConfigurationError for a worker whose part of the protection cannot be had. */
export function checkWorkerProtection(
  { signatures, claimCheck }: ProtectionConfig,
  { state, hasResults, isAlone }: WorkerSurroundings,
): void {
  if (claimCheck !== undefined) requireState(state);
  if (signatures === undefined) return;
  const notes = signatures.refusesReplays && !isAlone;
  if (notes && state === undefined) {
    throw new ConfigurationError(
      "STATE_REQUIRED",
      'Signed messages need a state store, to refuse copies of them. Set `state`, or `replays: "allowed"` of `signatures`.',
    );
  }
  const missing = (["result", "control"] as const).filter(
    (domain) => !signatures.canSign(domain) && !signatures.accepts(domain),
  );
  const needed = missing.filter((domain) => (domain === "result" ? hasResults : state !== undefined));
  if (needed.length === 0) return;
  throw new ConfigurationError(
    "CONFIGURATION_INVALID",
    `signatures: expected a key of this worker that may sign for ${needed.join(" and ")}, got none. Give it a private key of its own with \`uses: ["result", "control"]\`, or list them in \`acceptUnsigned\` everywhere.`,
  );
}

function decrypt(body: Body, place: BodyPlace, encryption: Encryption | undefined): Body {
  if (encryption === undefined) return body;
  if (body.contentType === encryptedType) return encryption.decrypt(body.body, place);
  if (encryption.acceptsPlain) return body;
  throw new MessageError(
    "ENCRYPTION_MISSING",
    `Expected an encrypted body, got one of the content type ${JSON.stringify(body.contentType)}. Give its writer \`encryption\`, and find who else writes there.`,
  );
}

function placeOf({ id, task, queue }: Message): BodyPlace {
  return { domain: "task", id, task, queue };
}

function andThen<T, TNext>(value: T | Promise<T>, next: (value: T) => TNext): TNext | Promise<TNext> {
  return value instanceof Promise ? value.then(next) : next(value);
}

async function openForMove(
  message: Message,
  { signatures, open }: Pick<ResultProtection, "signatures" | "open">,
): Promise<Body> {
  if (signatures !== undefined) verifySignature(message, message.queue, signatures);
  else if (message.signature !== undefined) throw unopened("signed", "signatures");
  const isClosed = message.contentType === claimType || message.contentType === encryptedType;
  const opened = isClosed ? await open(message, placeOf(message)) : message;
  if (opened.contentType === encryptedType) throw unopened("encrypted", "encryption");
  return opened;
}

function unopened(how: string, option: string): MessageError {
  const text = `It is ${how} for the queue that it is in. Give \`${option}\` to the client that moves it.`;
  return new MessageError("KEY_UNKNOWN", text);
}

function tooLarge(task: string, bytes: number, limit: number): MessageError {
  return new MessageError(
    "MESSAGE_TOO_LARGE",
    `Enqueue of ${task}: expected a body of at most ${limit} bytes as it travels, got ${bytes}. Raise \`maxBodyBytes\` in client and worker, or lower \`above\` of \`claimCheck\`.`,
  );
}
