import { MessageError } from "../errors.ts";
import type { FailureRule, Frame } from "../plan.ts";
import type { StateStore } from "../state-store.ts";
import { decodeValue, encodeValue } from "../state-value.ts";
import { type PlanHeader, readPlan, writePlan } from "./plan-header.ts";

/** What is known of a group that is under way. */
export interface GroupRecord {
  readonly size: number;
  readonly onFailure: FailureRule;
  /** What goes on when it has come to its end. */
  readonly frames: readonly Frame[];
  readonly ttl: number;
}

interface StoredGroup {
  readonly size: number;
  readonly onFailure: FailureRule;
  readonly plan: string;
}

/** Members of one set of a group's completion at most: no set grows with the group. */
const setSize = 128;

/** The shared facts of groups: what follows them, how far they are published, who has come to an end. */
export class GroupStore {
  readonly #state: StateStore;

  constructor(state: StateStore) {
    this.#state = state;
  }

  async open(id: string, { frames, ttl, size, onFailure }: GroupRecord): Promise<void> {
    const plan = await writePlan({ frames, ttl }, `${id}:end`, this.#state);
    const record: StoredGroup = { size, onFailure, plan };
    await this.#state.put([{ key: recordKey(id), value: encodeValue(record), ttl }]);
  }

  /** @throws MessageError `PLAN_EXPIRED` */
  async load(id: string): Promise<GroupRecord> {
    const record = await this.find(id);
    if (record === undefined) throw expired(id);
    return record;
  }

  async find(id: string): Promise<GroupRecord | undefined> {
    const [entry] = await this.#state.get([recordKey(id)]);
    if (entry === undefined) return undefined;
    const { size, onFailure, plan } = decodeValue<StoredGroup>(entry.value);
    const { frames, ttl }: PlanHeader = await readPlan(plan, this.#state);
    return { size, onFailure, frames, ttl };
  }

  /** How many of its members are known to be published. */
  async published(id: string): Promise<number> {
    const [entry] = await this.#state.get([cursorKey(id)]);
    return entry === undefined ? 0 : decodeValue<number>(entry.value);
  }

  async notePublished(id: string, count: number, ttl: number): Promise<void> {
    await this.#state.put([{ key: cursorKey(id), value: encodeValue(count), ttl }]);
  }

  /**
   * Notes that a member has come to its end; answers whether all have. A tree of sets, so that a member that is noted
   * twice counts once, and no key is hot: a full set is a member of the one above.
   */
  async join(group: string, index: number, { size, ttl }: Pick<GroupRecord, "size" | "ttl">): Promise<boolean> {
    let [place, width] = [index, size];
    for (let level = 0; ; level += 1) {
      const sets = Math.ceil(width / setSize);
      const set = place % sets;
      const full = Math.floor((width - 1 - set) / sets) + 1;
      const { size: noted } = await this.#state.add(["group", group, String(level), String(set)], [String(place)], {
        ttl,
      });
      if (noted < full) return false;
      if (sets === 1) return true;
      [place, width] = [set, sets];
    }
  }
}

function recordKey(id: string): readonly string[] {
  return ["group", id];
}

function cursorKey(id: string): readonly string[] {
  return ["group", id, "published"];
}

function expired(id: string): MessageError {
  return new MessageError(
    "PLAN_EXPIRED",
    `What follows the group ${id} is kept no longer. Give the workflow a longer \`ttl\`.`,
  );
}
