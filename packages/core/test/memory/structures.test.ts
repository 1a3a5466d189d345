import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Message } from "../../src/index.ts";
import { Heap, type HeapItem } from "../../src/memory/heap.ts";
import { KeyTree } from "../../src/memory/key-tree.ts";
import { OrderedList } from "../../src/memory/ordered-list.ts";
import { SeenIds } from "../../src/memory/seen-ids.ts";

describe("OrderedList", () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("append" as const) }) },
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("shift" as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("remove" as const), pick: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("putBack" as const), pick: fc.nat() }) },
  );

  test("behaves as a sorted array, whatever is done to it", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(700), (steps, prefilled) => {
        const list = new OrderedList<string>();
        const model: number[] = [];
        const taken: number[] = [];
        let last = 0;
        const append = (): void => {
          last += 1;
          list.append(last, `item ${last}`);
          model.push(last);
        };
        for (let count = 0; count < prefilled; count += 1) append();
        for (const { kind, pick = 0 } of steps as Array<{ kind: string; pick?: number }>) {
          if (kind === "append") append();
          else if (kind === "shift") {
            const expected = model.shift();
            expect(list.shift()).toBe(expected === undefined ? undefined : `item ${expected}`);
            if (expected !== undefined) taken.push(expected);
          } else if (kind === "remove") {
            const [removed] = model.splice(pick % (model.length || 1), 1);
            expect(list.remove(removed ?? -1)).toBe(removed === undefined ? undefined : `item ${removed}`);
            expect(list.remove(removed ?? -1)).toBeUndefined();
          } else if (taken.length > 0) {
            const [back] = taken.splice(pick % taken.length, 1) as [number];
            list.insert(back, `item ${back}`);
            model.push(back);
            model.sort((one, other) => one - other);
          }
        }
        expect(list.size).toBe(model.length);
        const named = model.map((position) => `item ${position}`);
        expect(list.after(0, Number.POSITIVE_INFINITY)).toEqual(named);
        expect(list.before(Number.POSITIVE_INFINITY, 3)).toEqual([...named].reverse().slice(0, 3));
        const middle = model[model.length >>> 1] ?? 0;
        expect(list.after(middle, 2)).toEqual(
          model
            .filter((position) => position > middle)
            .slice(0, 2)
            .map((position) => `item ${position}`),
        );
        expect(list.find(middle)).toBe(model.includes(middle) ? `item ${middle}` : undefined);
        expect(list.clear()).toEqual(named);
        expect(list.size).toBe(0);
      }),
    );
  });
});

describe("Heap", () => {
  test("gives what is due first, whatever was added and removed", () => {
    const dues = fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean()), { maxLength: 200 });
    fc.assert(
      fc.property(dues, (input) => {
        const heap = new Heap<HeapItem>();
        const items = input.map(([due, isRemoved]) => ({ due, isRemoved, heapIndex: -1 }));
        for (const item of items) heap.add(item);
        for (const item of items) if (item.isRemoved) heap.remove(item);
        const kept = items.filter(({ isRemoved }) => !isRemoved).map(({ due }) => due);
        expect(heap.size).toBe(kept.length);
        const order: number[] = [];
        for (let first = heap.first; first !== undefined; first = heap.first) {
          order.push(first.due);
          heap.remove(first);
          heap.remove(first);
        }
        expect(order).toEqual(kept.sort((one, other) => one - other));
      }),
    );
  });
});

describe("KeyTree", () => {
  const segment = fc.constantFrom("a", "b", "aa", "é", "10", "9", "__proto__");
  const key = fc.array(segment, { minLength: 1, maxLength: 4 });
  const compare = (one: readonly string[], other: readonly string[]): number => {
    for (let index = 0; index < Math.min(one.length, other.length); index += 1) {
      if (one[index] !== other[index]) return (one[index] as string) < (other[index] as string) ? -1 : 1;
    }
    return one.length - other.length;
  };

  test("lists what is under a prefix in order, from any key on, whatever was set and deleted", () => {
    const scene = fc.record({
      set: fc.array(key),
      deleted: fc.array(key),
      prefix: fc.array(segment, { maxLength: 2 }),
    });
    fc.assert(
      fc.property(scene, ({ set, deleted, prefix }) => {
        const tree = new KeyTree<readonly string[]>();
        const model = new Map<string, readonly string[]>();
        for (const path of set) {
          tree.set(path, path);
          model.set(JSON.stringify(path), path);
        }
        for (const path of deleted) {
          tree.delete(path);
          model.delete(JSON.stringify(path));
        }
        const under = [...model.values()]
          .filter((path) => prefix.every((part, index) => path[index] === part))
          .sort(compare);
        expect([...tree.under(prefix)]).toEqual(under);
        for (const [index, path] of under.entries()) {
          expect([...tree.under(prefix, path)]).toEqual(under.slice(index + 1));
          expect(tree.get(path)).toBe(model.get(JSON.stringify(path)));
        }
        for (const path of deleted) expect(tree.get(path)).toBeUndefined();
      }),
    );
  });
});

describe("SeenIds", () => {
  const message = (id: string, hop = 0): Message => ({ id, run: 0, hop }) as Message;

  test("remembers for the window at least, and for half of it longer at most", () => {
    const times = fc.array(fc.nat(400), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(times, (gaps) => {
        const seen = new SeenIds(1000);
        const added = new Map<string, number>();
        let now = 5_000_000;
        gaps.forEach((gap, index) => {
          now += gap;
          for (const [id, at] of added) {
            if (now - at < 1000) expect(seen.has(message(id), now)).toBe(true);
            // Half a window longer, and a gap at each turn of a generation.
            if (now - at > 1500 + 3 * 400) expect(seen.has(message(id), now)).toBe(false);
          }
          seen.add(message(String(index)), now);
          added.set(String(index), now);
        });
        expect(seen.has(message("0"), now + 10_000)).toBe(false);
      }),
    );
  });

  test("tells hops apart, and an id that ends like a hop", () => {
    const seen = new SeenIds(1000);
    seen.add(message("a", 1), 0);
    expect(seen.has(message("a", 1), 0)).toBe(true);
    expect(seen.has(message("a"), 0)).toBe(false);
    expect(seen.has(message("a:0:1"), 0)).toBe(false);
  });
});
