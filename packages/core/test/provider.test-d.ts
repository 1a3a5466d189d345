import { describe, expectTypeOf, test } from "vitest";
import { defineTask, type HandlerContext, provide, provideValue, type WorkerContext } from "../src/index.ts";

interface Pool {
  query(text: string): Promise<string>;
}
declare const pool: Pool;

const db = provide(
  "db",
  async function* ({ context }) {
    expectTypeOf(context).toEqualTypeOf<WorkerContext>();
    yield pool;
  },
  { scope: "worker", eager: true },
);
const user = provide(
  "user",
  async ({ db, context }) => {
    expectTypeOf(db).toEqualTypeOf<Pool>();
    expectTypeOf(context).toEqualTypeOf<HandlerContext>();
    return { name: await db.query(context.id) };
  },
  { scope: "task", needs: { db } },
);
const task = defineTask<{ path: string }, number>("task");

describe("types of providers", () => {
  test("a handler gets the values of what it needs, beside its context", () => {
    task.handler({ db, user, flag: provideValue("flag", true) }, async (input, context) => {
      expectTypeOf(input).toEqualTypeOf<{ path: string }>();
      expectTypeOf(context.db).toEqualTypeOf<Pool>();
      expectTypeOf(context.user).toEqualTypeOf<{ name: string }>();
      expectTypeOf(context.flag).toEqualTypeOf<boolean>();
      expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
      return 1;
    });
    // @ts-expect-error the result is of another type
    task.handler({ db }, async () => "text");
    // @ts-expect-error it did not ask for user
    task.handler({ db }, async (_, { user }) => user);
  });

  test("values of all kinds of factories", () => {
    const options = { scope: "worker" } as const;
    expectTypeOf(provide("a", () => 1, options).override)
      .parameter(0)
      .toEqualTypeOf<number>();
    expectTypeOf(provide("a", async () => 1, options).override)
      .parameter(0)
      .toEqualTypeOf<number>();
    const lazily = provide(
      "a",
      function* () {
        yield "text" as string;
      },
      options,
    );
    expectTypeOf(lazily.override).parameter(0).toEqualTypeOf<string>();
    expectTypeOf(db.override).parameter(0).toEqualTypeOf<Pool>();
    // @ts-expect-error a number is no pool
    db.override(1);
  });

  test("no name of the context", () => {
    // @ts-expect-error the context has a signal
    task.handler({ signal: db }, async () => 1);
    // @ts-expect-error the context has an id
    task.handler({ db, id: user }, async () => 1);
    // @ts-expect-error a factory has a context
    provide("a", () => 1, { scope: "task", needs: { context: db } });
  });

  test("what lives as long as the worker needs nothing of a task", () => {
    // @ts-expect-error user lives for one task
    provide("a", () => 1, { scope: "worker", needs: { user } });
    provide("a", () => 1, { scope: "task", needs: { user, db } });
    // @ts-expect-error what lives for one task is made for it
    provide("a", () => 1, { scope: "task", eager: true });
    // @ts-expect-error how long does it live?
    provide("a", () => 1, {});
  });

  test("only providers can be needed", () => {
    // @ts-expect-error no provider
    task.handler({ db: pool }, async () => 1);
  });
});
