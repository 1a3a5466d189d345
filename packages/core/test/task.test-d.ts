import * as v from "valibot";
import { describe, expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  type BareHandle,
  type Client,
  defineTask,
  type Handle,
  type Outcome,
  type TaskInput,
  type TaskOutput,
  type,
} from "../src/index.ts";

declare const client: Client;
declare const bare: Client<false>;

describe("types of tasks", () => {
  test("plain types", async () => {
    const resize = defineTask<{ path: string }, { width: number }>("image.resize");
    resize.handler(async (input) => {
      expectTypeOf(input).toEqualTypeOf<{ path: string }>();
      return { width: 1 };
    });
    // @ts-expect-error the result is of another type
    resize.handler(async () => ({ height: 1 }));
    const handle = await client.enqueue(resize, { path: "a" });
    expectTypeOf(handle).toEqualTypeOf<Handle<{ width: number }>>();
    expectTypeOf(await handle.result()).toEqualTypeOf<{ width: number }>();
    expectTypeOf(await handle.outcome()).toEqualTypeOf<Outcome<{ width: number }>>();
    // @ts-expect-error the input is of another type
    await client.enqueue(resize, { path: 1 });
    // @ts-expect-error the input is missing
    await client.enqueue(resize);
    expectTypeOf<TaskInput<typeof resize>>().toEqualTypeOf<{ path: string }>();
    expectTypeOf<TaskOutput<typeof resize>>().toEqualTypeOf<{ width: number }>();
  });

  test("a task without input is enqueued without one", async () => {
    const tick = defineTask("tick");
    await client.enqueue(tick);
    await client.enqueue(tick, undefined, { delay: "1s" });
    // @ts-expect-error it takes none
    await client.enqueue(tick, 1);
    const answer = defineTask<void, number>("answer");
    expectTypeOf(await (await client.enqueue(answer)).result()).toEqualTypeOf<number>();
  });

  test("a broadcast has a handle with only an id", async () => {
    const clear = defineTask<{ key: string }>("clear", { broadcast: true });
    clear.handler(({ key }) => void key);
    expectTypeOf(await client.enqueue(clear, { key: "a" })).toEqualTypeOf<BareHandle>();
    // @ts-expect-error the input is missing
    await client.enqueue(clear);
    const tick = defineTask("tick", { broadcast: true, input: z.number() });
    expectTypeOf(await client.enqueue(tick, 1)).toEqualTypeOf<BareHandle>();
    const anything = defineTask<void, unknown>("anything");
    expectTypeOf(await client.enqueue(anything)).toEqualTypeOf<Handle<unknown>>();
  });

  test("schemas: callers give what goes in, handlers get what comes out", async () => {
    const report = defineTask("report", {
      input: z.object({ day: z.string().transform((text) => new Date(text)) }),
      output: z.object({ pages: z.number() }),
      retry: { attempts: 2 },
    });
    report.handler(async ({ day }) => {
      expectTypeOf(day).toEqualTypeOf<Date>();
      return { pages: 1 };
    });
    const handle = await client.enqueue(report, { day: "2026-01-01" });
    expectTypeOf(await handle.result()).toEqualTypeOf<{ pages: number }>();
    // @ts-expect-error the decoded type is not what a caller gives
    await client.enqueue(report, { day: new Date() });
  });

  test("valibot, and half and half with type<T>()", async () => {
    const mail = defineTask("mail", { input: v.object({ to: v.string() }), output: type<{ accepted: boolean }>() });
    mail.handler(async ({ to }) => ({ accepted: to.length > 0 }));
    expectTypeOf(await (await client.enqueue(mail, { to: "a" })).result()).toEqualTypeOf<{ accepted: boolean }>();
  });

  test("results: false leaves handles with an id only", async () => {
    const handle = await bare.enqueue(defineTask<{ a: number }, string>("x"), { a: 1 });
    expectTypeOf(handle.id).toEqualTypeOf<string>();
    // @ts-expect-error there is no result to wait for
    await handle.result();
  });

  test("enqueueMany and handle are typed alike", async () => {
    const square = defineTask<number, number>("square");
    const [first] = await client.enqueueMany(square, [1, 2, 3], { id: (input, index) => `${input}-${index}` });
    if (first?.status === "accepted") expectTypeOf(await first.handle.result()).toEqualTypeOf<number>();
    expectTypeOf(await client.handle(square, "1").result()).toEqualTypeOf<number>();
    // @ts-expect-error the inputs are of another type
    await client.enqueueMany(square, ["1"]);
  });
});
