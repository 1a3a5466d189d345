import { Readable } from "node:stream";
import { OptionError, type TaskStatus } from "@taskferry/core";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { followTask, lastEventId } from "./event-stream.ts";
import { findTask, type TaskPlaces } from "./find-task.ts";
import { answering } from "./http-error.ts";
import { toJson, viewTask } from "./task-view.ts";

/** What somebody asks for. */
export interface Access {
  readonly id: string;
  readonly action: "read" | "follow" | "cancel";
}

/** Says whether a request may. `false` answers 403; what it throws is the application's to answer. */
export type Authorize = (request: FastifyRequest, access: Access) => boolean | Promise<boolean>;

export interface RoutesOptions {
  /** Default `"/tasks"`. */
  readonly prefix?: string;
  /** Asked before anything else: an id is no secret, and results may be. */
  readonly authorize: Authorize;
  /** What is shown of a task. Default: a `TaskView`. */
  readonly present?: (status: TaskStatus, request: FastifyRequest) => unknown;
  /** Where tasks without an outcome are looked for. Default: in every queue of the broker. */
  readonly queues?: readonly string[];
  /** Milliseconds between two signs of life of a silent stream. Default 15,000. */
  readonly heartbeat?: number;
}

export interface RouteParts extends RoutesOptions {
  readonly places: TaskPlaces;
  /** Aborts when the application closes. */
  readonly closing: AbortSignal;
}

interface ById {
  readonly Params: { readonly id: string };
}
/** `GET /:id`, `GET /:id/events`, `POST /:id/cancel`. */
export async function addRoutes(app: FastifyInstance, parts: RouteParts): Promise<void> {
  const { authorize, places } = parts;
  const guard = (action: Access["action"]) => async (request: FastifyRequest, reply: FastifyReply) => {
    const { id } = request.params as ById["Params"];
    reply.header("cache-control", "no-store");
    if (!(await authorize(request, { id, action }))) return answer(reply.code(403), { id, status: "forbidden" });
  };

  app.get<ById>("/:id", { preHandler: guard("read") }, async (request, reply) => {
    const { status } = await answering(() => findTask(request.params.id, places));
    return answer(reply.code(codeOf(status)), present(status, request, parts));
  });

  app.get<ById>("/:id/events", { preHandler: guard("follow") }, (request, reply) =>
    answering(() => follow(request, reply, parts)),
  );

  app.post<ById>("/:id/cancel", { preHandler: guard("cancel") }, async (request, reply) => {
    const { id } = request.params;
    const { handle, status } = await answering(() => findTask(id, places));
    if (codeOf(status) !== 200) return answer(reply.code(codeOf(status)), present(status, request, parts));
    const reason = readReason(request.body);
    return answer(reply.code(202), { id, status: await answering(() => handle.cancel(reason)) });
  });
}

async function follow(request: FastifyRequest<ById>, reply: FastifyReply, parts: RouteParts): Promise<FastifyReply> {
  // A browser asks again whenever a stream ends; 204 tells it that there is no more.
  if (request.headers["last-event-id"] === lastEventId) return reply.code(204).send();
  const { handle, status } = await findTask(request.params.id, parts.places);
  if (codeOf(status) !== 200) return answer(reply.code(codeOf(status)), present(status, request, parts));
  const gone = new AbortController();
  const end = (): void => gone.abort();
  const { closing, heartbeat = 15_000 } = parts;
  closing.addEventListener("abort", end);
  if (closing.aborted) end();
  const events = followTask({
    handle,
    signal: gone.signal,
    heartbeat,
    present: (ended) => present(ended, request, parts),
  });
  const stream = Readable.from(events, { objectMode: false });
  stream.once("close", () => {
    closing.removeEventListener("abort", end);
    end();
  });
  // A connection that is kept open for more would hold up the close of the application.
  if (request.raw.httpVersionMajor === 1) reply.header("connection", "close");
  return reply.type("text/event-stream").header("x-accel-buffering", "no").send(stream);
}

/** Not by a schema: what checks schemas is the application's choice. */
function readReason(body: unknown): string | undefined {
  const { reason } = (body ?? {}) as { readonly reason?: unknown };
  if (reason === undefined || (typeof reason === "string" && reason !== "" && reason.length <= 500)) return reason;
  const message = "reason: expected a text of 1 to 500 characters.";
  throw Object.assign(new OptionError("OPTION_INVALID", message), { statusCode: 400 });
}

function present(status: TaskStatus, request: FastifyRequest, { present: show }: RouteParts): unknown {
  return show === undefined ? viewTask(status) : show(status, request);
}

function codeOf({ status }: TaskStatus): number {
  if (status === "unknown") return 404;
  return status === "expired" ? 410 : 200;
}

function answer(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type("application/json; charset=utf-8").send(toJson(value));
}
