import {
  type Broadcasted,
  createProviderScope,
  type HandlerContext,
  type ProviderOverride,
  type Schema,
  type TaskHandler,
  ValidationError,
} from "@taskferry/core";
import { fakeContext } from "./fake-context.ts";

export interface RunHandlerOptions {
  /** What the handler shall see of its execution; the rest as of {@link fakeContext}. */
  readonly context?: Partial<HandlerContext>;
  /** Values in the place of what providers make, such as `[db.override(fake)]`. */
  readonly overrides?: readonly ProviderOverride[];
}

/** What a caller of the task would get; of a broadcast, whatever the handler returned. */
export type HandlerResult<TResult> = [TResult] extends [Broadcasted] ? unknown : TResult;

/**
 * Runs a handler once, without a worker or a broker. The input is what a caller gives: it goes through the task's schema,
 * as the result does. Providers that are not overridden are made, and ended before this resolves. Rejects with what the
 * handler throws.
 *
 * @throws ValidationError `INPUT_INVALID`, `OUTPUT_INVALID`; ConfigurationError for providers that cannot be used.
 */
export async function runHandler<TInput, TResult>(
  handler: TaskHandler<TInput, TResult>,
  input: TInput,
  { context = {}, overrides = [] }: RunHandlerOptions = {},
): Promise<HandlerResult<TResult>> {
  const { name, options, input: inputSchema, output } = handler.task;
  const full = fakeContext({ task: name, queue: options.queue, ...context });
  const providers = createProviderScope({ context: { worker: "test", log: full.log }, overrides });
  try {
    await providers.start([handler]);
    const decoded = await check(inputSchema, input, "INPUT_INVALID");
    const returned = await providers.run(handler, { input: decoded, context: full });
    return (await check(output, returned, "OUTPUT_INVALID")) as HandlerResult<TResult>;
  } finally {
    await providers.close();
  }
}

async function check(schema: Schema | undefined, value: unknown, code: "INPUT_INVALID" | "OUTPUT_INVALID") {
  if (schema === undefined) return value;
  const checked = await schema["~standard"].validate(value);
  if (checked.issues === undefined) return checked.value;
  const issues = checked.issues.map(({ message, path = [] }) => ({
    message,
    path: path.map((segment) => (typeof segment === "object" ? segment.key : segment)),
  }));
  throw new ValidationError(code, issues.map(({ message }) => message).join("; "), issues);
}
