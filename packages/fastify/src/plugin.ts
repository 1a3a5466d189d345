import { finished } from "node:stream";
import {
  type Background,
  type BackgroundSetup,
  type Client,
  type ClientConfig,
  ClosedError,
  createBackground,
  createClient,
  type EnqueueOptions,
  OptionError,
  type ResultBackend,
  type StateStore,
} from "@taskferry/core";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fastifyPlugin } from "fastify-plugin";
import type { AppTasks, RequestTasks } from "./decorations.ts";
import { answering } from "./http-error.ts";
import { addRoutes, type RoutesOptions } from "./routes.ts";

/** A configuration whose outcomes are kept: routes and handles tell of them. */
export interface TaskferryConfig extends Omit<ClientConfig, "results" | "state"> {
  readonly results?: ResultBackend | string | undefined;
  readonly state?: StateStore | string | undefined;
}

export interface TaskferryOptions {
  /** What the client is made of. It is connected before the application is ready, and closed with it. */
  readonly config?: TaskferryConfig;
  /** A client in place of one: it stays open when the application closes. */
  readonly client?: Client;
  /** The routes that tell of tasks, and who may use them; `false` for none. */
  readonly routes: RoutesOptions | false;
  /** Headers of the tasks that a request enqueues, such as who is asking. Those of the enqueue itself win. */
  readonly headers?: (request: FastifyRequest) => Readonly<Record<string, string>>;
  /** For `background`, which is made at its first use. */
  readonly background?: BackgroundSetup;
}

/**
 * taskferry in Fastify: `app.tasks`, `request.tasks`, `reply.accepted`, and routes that tell of tasks.
 *
 * @throws OptionError `OPTION_INVALID`; what `createClient` throws.
 */
export const taskferry = fastifyPlugin(
  async (app: FastifyInstance, options: TaskferryOptions): Promise<void> => {
    checkOptions(options);
    const { config, routes, headers } = options;
    const client = options.client ?? (await createClient({ logger: app.log, ...config }));
    const background = openLate({ logger: app.log, ...options.background });
    const closing = new AbortController();
    app.addHook("preClose", async () => closing.abort());
    app.addHook("onClose", async () => {
      await background.close();
      if (options.client === undefined) await client.close();
    });

    const prefix = routes === false ? undefined : (routes.prefix ?? "/tasks");
    app.decorate("tasks", tasksOfApp(client, background.run));
    app.decorateRequest("tasks");
    app.decorateReply("accepted", function (this: FastifyReply, { id }) {
      if (prefix !== undefined) this.header("location", `${app.prefix}${prefix}/${encodeURIComponent(id)}`);
      return this.code(202).send({ id, status: "pending" });
    });
    app.addHook("onRequest", (request, reply, done) => {
      Object.assign(request, { tasks: new TasksOfRequest({ app, request, reply, headers }) });
      done();
    });
    if (routes !== false)
      await app.register(addRoutes, {
        ...routes,
        prefix: prefix ?? "",
        places: { client, background: background.current, queues: routes.queues },
        closing: closing.signal,
      });
  },
  { name: "@taskferry/fastify", fastify: "5.x" },
);

function checkOptions({ config, client, routes }: TaskferryOptions): void {
  if ((config === undefined) === (client === undefined))
    throw invalid(`expected \`config\` or \`client\`, got ${config === undefined ? "neither" : "both"}.`);
  if (routes === false || typeof routes?.authorize === "function") return;
  throw invalid(
    "routes, authorize: expected a function (request, { id, action }) => boolean, since results may be for some eyes only; or `routes: false`.",
  );
}

function invalid(message: string): OptionError {
  return new OptionError("OPTION_INVALID", `@taskferry/fastify, ${message}`);
}

interface LateBackground {
  readonly run: Background["background"];
  readonly current: () => Promise<Background> | undefined;
  readonly close: () => Promise<void>;
}

function openLate(setup: BackgroundSetup): LateBackground {
  let made: Promise<Background> | undefined;
  let isClosed = false;
  return {
    run: (run, options) =>
      answering(async () => {
        if (isClosed) throw new ClosedError("The application");
        made ??= createBackground(setup);
        return (await made).background(run, options);
      }),
    current: () => made,
    close: async () => {
      isClosed = true;
      await (await made)?.close();
    },
  };
}

function tasksOfApp(client: Client, background: Background["background"]): AppTasks {
  return {
    client,
    enqueue: ((task: never, input: never, options: never): unknown =>
      answering(async () => client.enqueue(task, input, options))) as Client["enqueue"],
    enqueueMany: (...call) => answering(() => client.enqueueMany(...call)),
    handle: client.handle,
    background,
  };
}

interface RequestParts {
  readonly app: FastifyInstance;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly headers: TaskferryOptions["headers"];
}

class TasksOfRequest implements RequestTasks {
  readonly #parts: RequestParts;
  #answered: Promise<void> | undefined;

  constructor(parts: RequestParts) {
    this.#parts = parts;
  }

  /** Routes take it out of the request, so it is bound. */
  get enqueue(): RequestTasks["enqueue"] {
    const { app, request, headers } = this.#parts;
    if (headers === undefined) return app.tasks.enqueue;
    const enqueue = (task: never, input: never, options?: EnqueueOptions): unknown =>
      app.tasks.enqueue(task, input, { ...options, headers: { ...headers(request), ...options?.headers } } as never);
    return enqueue as RequestTasks["enqueue"];
  }

  get background(): RequestTasks["background"] {
    const { app, reply } = this.#parts;
    this.#answered ??= new Promise((resolve) => finished(reply.raw, () => resolve()));
    const answered = this.#answered;
    return (run, options) =>
      app.tasks.background(run, {
        ...options,
        after: options?.after === undefined ? answered : Promise.allSettled([answered, options.after]),
      });
  }
}
