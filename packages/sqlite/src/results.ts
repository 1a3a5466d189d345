import {
  decodeOutcome,
  encodeOutcome,
  MessageError,
  type ResultBackend,
  type StoredOutcome,
  type WaitOptions,
} from "@taskferry/core";
import { closed, FileFault } from "./file-fault.ts";
import { createFileUse, type FileUse } from "./file-use.ts";
import type { FileLink } from "./link.ts";
import { packItems } from "./pack-items.ts";
import type { ResultItem, ThreadOptions } from "./protocol.ts";
import { createState } from "./state.ts";

/** Bytes of an encoded outcome at most. */
const maxOutcomeBytes = 64 * 1024 * 1024;

/** A result backend on a file that `link` leads to. */
export function createResults(link: FileLink, options: ThreadOptions): ResultBackend {
  const file = createFileUse({ link, options, what: "The sqlite result backend" });
  return {
    name: "sqlite",
    contract: 1,
    capabilities: { durable: true, shared: true, maxOutcomeBytes },
    connect: file.connect,
    close: file.close,
    [Symbol.asyncDispose]: file.close,
    store: (outcomes) => store(file, outcomes),
    get: async (ids) => (await file.call("getResults", ids)).map((bytes) => bytes && decodeOutcome(bytes)),
    wait: (id, waitOptions) => wait(file, id, waitOptions),
    delete: (ids) => file.call("deleteResults", ids),
    state: () => createState(link, options),
  };
}

async function store(file: FileUse, outcomes: readonly StoredOutcome[]): Promise<readonly StoredOutcome[]> {
  const { packed, buffer } = packItems(outcomes.map(toItem));
  const standing = await file.call("storeResults", packed, { transfer: [buffer] });
  return outcomes.map((outcome, index) => {
    const bytes = standing[index];
    return bytes === undefined ? outcome : decodeOutcome(bytes);
  });
}

function toItem(outcome: StoredOutcome): ResultItem {
  const bytes = encodeOutcome(outcome);
  if (bytes.byteLength > maxOutcomeBytes) {
    throw new MessageError(
      "MESSAGE_TOO_LARGE",
      `Expected an outcome of at most ${maxOutcomeBytes} bytes, got ${bytes.byteLength} for task ${outcome.id}.`,
    );
  }
  return { id: outcome.id, run: outcome.run, ttl: Math.ceil(outcome.ttl), bytes };
}

async function wait(file: FileUse, id: string, { signal, run = 0 }: WaitOptions): Promise<StoredOutcome> {
  signal.throwIfAborted();
  try {
    const bytes = await file.wait("awaitResult", { id, run }, { signals: [signal] });
    if (bytes !== undefined) return decodeOutcome(bytes);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  signal.throwIfAborted();
  throw file.toError(new FileFault(closed));
}
