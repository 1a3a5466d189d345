import { ResultMissingError } from "./errors.ts";
import type { Outcome, StoredOutcome } from "./outcome.ts";
import type { FailureRule } from "./plan.ts";
import type { ResultBackend } from "./result-backend.ts";
import type { SerializerSet } from "./serializer-set.ts";
import { decodeValue, encodeValue } from "./state-value.ts";
import { toOutcome } from "./to-outcome.ts";

/** The content type of a value that is the results of a group: it names them, and they stay where they are. */
export const groupContentType = "application/vnd.taskferry.group+json";

/** Names the results of a group. */
export interface GroupReference {
  readonly group: string;
  readonly size: number;
  readonly onFailure: FailureRule;
  /** Whether a handler gets a {@link GroupResults} rather than the list itself. */
  readonly isLazy?: boolean;
}

/** Outcomes that are read in one call. */
const pageSize = 200;

/**
 * The results of a group, in the order of its members; read in batches as they are asked for, so that ten thousand of them
 * need not be in memory at once. With `onFailure: "collect"` they are outcomes.
 *
 * @throws ResultMissingError `RESULT_EXPIRED` when a member's outcome is kept no longer.
 */
export class GroupResults<TList extends readonly unknown[] = readonly unknown[]>
  implements AsyncIterable<TList[number]>
{
  readonly length: number;
  readonly #reference: GroupReference;
  readonly #reader: GroupReader;

  constructor(reference: GroupReference, reader: GroupReader) {
    this.length = reference.size;
    this.#reference = reference;
    this.#reader = reader;
  }

  /** All of them at once. */
  async all(): Promise<TList> {
    const items: unknown[] = [];
    for await (const item of this) items.push(item);
    return items as unknown as TList;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TList[number]> {
    for (let start = 0; start < this.length; start += pageSize) {
      const page = await this.#reader.page(this.#reference, start, Math.min(this.length, start + pageSize));
      yield* page as readonly TList[number][];
    }
  }
}

/** Reads what references name. */
export interface GroupReader {
  /** A value that may be a reference: what it stands for. */
  read(value: { readonly contentType: string; readonly body: Uint8Array }): unknown;
  page(reference: GroupReference, start: number, end: number): Promise<readonly unknown[]>;
}

export function createGroupReader(results: Pick<ResultBackend, "get">, serializers: SerializerSet): GroupReader {
  const reader: GroupReader = {
    read: ({ contentType, body }) => {
      if (contentType !== groupContentType) return serializers.deserialize(contentType, body);
      const reference = decodeReference(body);
      const list = new GroupResults(reference, reader);
      return reference.isLazy === true ? list : list.all();
    },
    page: async ({ group, onFailure }, start, end) => {
      const ids = Array.from({ length: end - start }, (_, index) => `${group}:${start + index}`);
      const stored = await results.get(ids);
      return Promise.all(ids.map((id, index) => readMember(id, stored[index], onFailure)));
    },
  };
  const readMember = async (
    id: string,
    stored: StoredOutcome | undefined,
    onFailure: FailureRule,
  ): Promise<unknown> => {
    if (stored === undefined) throw missing(id);
    const outcome = await toOutcome(stored, reader.read);
    if (onFailure === "collect") return outcome satisfies Outcome;
    if (outcome.status === "succeeded") return outcome.result;
    throw missing(id);
  };
  return reader;
}

export function encodeReference(reference: GroupReference): Uint8Array {
  return encodeValue(reference);
}

export function decodeReference(bytes: Uint8Array): GroupReference {
  return decodeValue(bytes);
}

function missing(id: string): ResultMissingError {
  return new ResultMissingError(
    "RESULT_EXPIRED",
    id,
    `The result of ${id}, a member of a group, is kept no longer. Give the workflow a longer \`ttl\`.`,
  );
}
