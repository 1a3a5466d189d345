import { chain, chord, group, type Step, step, type Workflow } from "@taskferry/core";
import { addUp, broken, increase, sum } from "./programs/tasks.ts";

/** A workflow from a number to a number, and what it comes to: `undefined` where it must fail. */
export interface RandomWorkflow {
  readonly flow: Workflow<number, number>;
  readonly tasks: number;
  readonly model: (input: number) => number | undefined;
}

type Random = () => number;

/** A tree of chains, groups and chords up to `depth`, the same for the same seed. Some steps fail; some fall back. */
export function randomWorkflow(seed: number, depth: number): RandomWorkflow {
  return node(createRandom(seed), depth);
}

function node(random: Random, depth: number): RandomWorkflow {
  const kind = depth === 0 ? 0 : Math.floor(random() * 4);
  if (kind === 0) return leaf(random);
  const parts = Array.from({ length: 1 + Math.floor(random() * 3) }, () => node(random, depth - 1));
  return kind === 1 ? inChain(parts) : inGroup(parts, kind === 2);
}

function leaf(random: Random): RandomWorkflow {
  const chance = random();
  if (chance < 0.04) return { flow: step(broken), tasks: 1, model: () => undefined };
  if (chance < 0.1) {
    return { flow: step(broken, { fallback: increase }), tasks: 2, model: (input) => input + 1 };
  }
  return { flow: step(increase), tasks: 1, model: (input) => input + 1 };
}

function inChain(parts: readonly RandomWorkflow[]): RandomWorkflow {
  return {
    flow: chain(...(parts.map(({ flow }) => flow) as [Workflow<number, number>])),
    tasks: count(parts),
    model: (input) =>
      parts.reduce<number | undefined>((value, part) => (value === undefined ? undefined : part.model(value)), input),
  };
}

function inGroup(parts: readonly RandomWorkflow[], isLazy: boolean): RandomWorkflow {
  const members = group(parts.map(({ flow }): Step => flow)) as Workflow<number, readonly number[]>;
  return {
    flow: isLazy ? chord(members, addUp) : chain(members, sum),
    tasks: count(parts) + 1,
    model: (input) => {
      const values = parts.map((part) => part.model(input));
      return values.some((value) => value === undefined)
        ? undefined
        : values.reduce<number>((total, value) => total + (value ?? 0), 0);
    },
  };
}

function count(parts: readonly RandomWorkflow[]): number {
  return parts.reduce((total, { tasks }) => total + tasks, 0);
}

/** A linear congruential generator: enough to vary trees, and the same everywhere. */
function createRandom(seed: number): Random {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
