/** A cluster keeps outcomes in so many slots; a batch makes one call for each that it touches. */
const shards = 64;
const largestBatch = 250;
/** Bytes of one call at most, but for a single outcome that is larger. */
const mostBytes = 1024 * 1024;

/** Where outcomes are kept and announced. */
export class OutcomeKeys {
  readonly #namespace: string;
  readonly #channelPrefix: string;
  /** What the channels of processes begin with. */
  readonly originPrefix: string;

  constructor(namespace: string) {
    this.#namespace = namespace;
    this.#channelPrefix = `${namespace}:outcome:`;
    this.originPrefix = `${namespace}:outcomes-of:`;
  }

  keyOf(id: string): string {
    return `{${this.#namespace}:results:${shardOf(id)}}:${id}`;
  }

  channelOf(id: string): string {
    return this.#channelPrefix + id;
  }

  idOf(channel: string): string {
    return channel.slice(this.#channelPrefix.length);
  }
}

/**
 * Indexes of ids that one call may carry: any on a single server, those of one slot in a cluster; not more than hold up
 * nobody.
 */
export function inBatches(
  ids: readonly string[],
  isCluster: boolean,
  bytesOf: (index: number) => number = () => 0,
): readonly (readonly number[])[] {
  const open = new Map<number, { readonly indexes: number[]; bytes: number }>();
  const all: (readonly number[])[] = [];
  ids.forEach((id, index) => {
    const group = isCluster ? shardOf(id) : 0;
    const bytes = bytesOf(index);
    let batch = open.get(group);
    if (batch === undefined || batch.indexes.length === largestBatch || batch.bytes + bytes > mostBytes) {
      batch = { indexes: [], bytes: 0 };
      open.set(group, batch);
      all.push(batch.indexes);
    }
    batch.indexes.push(index);
    batch.bytes += bytes;
  });
  return all;
}

function shardOf(id: string): number {
  let hash = 0;
  for (let index = 0; index < id.length; index += 1) hash = (Math.imul(hash, 31) + id.charCodeAt(index)) | 0;
  return (hash >>> 0) % shards;
}
