import { randomBytes, randomFillSync } from "node:crypto";

/** What tells apart the ids that one process makes in a millisecond: so many bits, drawn without repetition. */
const bits = 26;
const drawnAtOnce = 1_024;
/** The last group of all ids of this process, and of no others. */
const origin = randomBytes(6).toString("hex");

class IdMaker {
  #drawn: number[] = [];
  #newest = 0;

  /** The time of the newest id, or now where that is later: epoch milliseconds. */
  get newest(): number {
    return Math.max(this.#newest, Date.now());
  }

  make(): string {
    this.#newest = this.newest;
    if (this.#drawn.length === 0) {
      this.#drawn = draw();
      // What was drawn before may come again, in another millisecond.
      this.#newest += 1;
    }
    const number = this.#drawn.pop() as number;
    const time = this.#newest.toString(16).padStart(12, "0");
    const high = (number >>> 14).toString(16).padStart(3, "0");
    const low = (0x8000 | (number & 0x3fff)).toString(16);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${high}-${low}-${origin}`;
  }
}

const maker = new IdMaker();

/**
 * A new task id: a UUID of version 7 (RFC 9562), so ids sort by the millisecond in which they were made. Its last group is
 * that of its process, so that a result backend can tell whose task an outcome is. Not a secret.
 */
export function createId(): string {
  return maker.make();
}

function draw(): number[] {
  const numbers = new Set<number>();
  const random = new Uint32Array(drawnAtOnce);
  while (numbers.size < drawnAtOnce) for (const one of randomFillSync(random)) numbers.add(one >>> (32 - bits));
  return [...numbers];
}

const version7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** When an id of {@link createId} was made, in epoch milliseconds; `undefined` for an id of another kind. */
export function idTime(id: string): number | undefined {
  return version7.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;
}

/** The group that ids of one process have in common; `undefined` for an id of another kind. */
export function idOrigin(id: string): string | undefined {
  return version7.test(id) ? id.slice(-12) : undefined;
}

/** The origin of the ids that this process makes. */
export function ownOrigin(): string {
  return origin;
}

/** Ids with a later {@link idTime} are yet to be made by this process. */
export function newestIdTime(): number {
  return maker.newest;
}
