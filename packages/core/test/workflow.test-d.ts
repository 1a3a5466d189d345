import { describe, expectTypeOf, test } from "vitest";
import {
  type Client,
  chain,
  chord,
  defineTask,
  type GroupResults,
  group,
  map,
  type Outcome,
  step,
  type Workflow,
  type WorkflowHandle,
} from "../src/index.ts";

declare const client: Client;

const fetchPage = defineTask<{ url: string }, string>("fetch");
const count = defineTask<string, number>("count");
const upper = defineTask<string, Uppercase<string>>("upper");
const total = defineTask<readonly number[], number>("total");
const lazy = defineTask<GroupResults<readonly number[]>, number>("lazy");
const pair = defineTask<readonly [number, string], boolean>("pair");

describe("types of workflows", () => {
  test("a chain is typed from its first input to its last output", async () => {
    const flow = chain(fetchPage, count);
    expectTypeOf(flow).toEqualTypeOf<Workflow<{ url: string }, number>>();
    const handle = await client.enqueue(flow, { url: "x" });
    expectTypeOf(handle).toEqualTypeOf<WorkflowHandle<number>>();
    expectTypeOf(await handle.result()).toEqualTypeOf<number>();
    // @ts-expect-error the input is of another type
    await client.enqueue(flow, "x");
    // @ts-expect-error the input is missing
    await client.enqueue(flow);
  });

  test("a wrong link does not compile", () => {
    // @ts-expect-error fetch takes no number
    chain(fetchPage, count, fetchPage);
    // @ts-expect-error total takes a list
    chain(count, total);
    // @ts-expect-error the list is of strings
    chord(map(upper), lazy);
    // @ts-expect-error the second member gives a number
    chain(group([count, count]), pair);
  });

  test("what a group takes suits all its members; it gives a tuple", () => {
    expectTypeOf(group([count, upper])).toEqualTypeOf<Workflow<string, readonly [number, Uppercase<string>]>>();
    expectTypeOf(group([count], { onFailure: "collect" })).toEqualTypeOf<
      Workflow<string, readonly [Outcome<number>]>
    >();
    expectTypeOf(chain(group([count, upper]), pair)).toEqualTypeOf<Workflow<string, boolean>>();
    expectTypeOf(chain(map(count), total)).toEqualTypeOf<Workflow<readonly string[], number>>();
    expectTypeOf(chord(map(count), lazy)).toEqualTypeOf<Workflow<readonly string[], number>>();
  });

  test("a step with an input of its own takes whatever comes before it", async () => {
    expectTypeOf(step(count, { input: "x" })).toEqualTypeOf<Workflow<unknown, number>>();
    expectTypeOf(chain(fetchPage, step(count, { input: "x" }))).toEqualTypeOf<Workflow<{ url: string }, number>>();
    // @ts-expect-error the input is of another type
    step(count, { input: 1 });
    await client.enqueue(group([step(count, { input: "a" }), step(count, { input: "b" })]));
  });
});
