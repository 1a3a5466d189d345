import multipart from "@fastify/multipart";
import statics from "@fastify/static";
import { type Access, type TaskferryConfig, taskferry } from "@taskferry/fastify";
import Fastify, { type FastifyInstance } from "fastify";
import { publicFolder } from "../settings.ts";
import { processPicture } from "../tasks.ts";
import { createInQueue, type InQueue } from "./in-queue.ts";
import { addRoutes, type RouteParts } from "./routes.ts";
import { maxFilesInRequest, maxUploadBytes } from "./uploads.ts";

const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export interface ServerParts extends Omit<RouteParts, "inQueue"> {
  readonly config: TaskferryConfig;
  readonly onError: (error: unknown) => void;
}

export interface Server {
  readonly app: FastifyInstance;
  readonly inQueue: InQueue;
}

/** Connected to the broker, and not listening yet. What it has connected closes with `app`. */
export async function createServer(parts: ServerParts): Promise<Server> {
  const app = Fastify({ forceCloseConnections: true, bodyLimit: 64 * 1024 });
  app.addHook("onRequest", async (request, reply) => {
    reply.headers({
      "content-security-policy": contentSecurityPolicy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
    });
    // A page of another origin must not change anything here; browsers say where a request comes from.
    const from = request.headers["sec-fetch-site"] ?? "same-origin";
    if (request.method !== "GET" && from !== "same-origin" && from !== "none")
      return reply.code(403).send({ message: "Only the demo's own page may do this." });
  });
  await app.register(multipart, {
    limits: { fileSize: maxUploadBytes, files: maxFilesInRequest, parts: 3 * maxFilesInRequest },
    // A file that is too large is one picture that failed, with its reason; its neighbours go on.
    throwFileSizeLimit: false,
  });
  await app.register(statics, { root: publicFolder });
  await app.register(statics, { root: parts.samplesFolder, prefix: "/samples/", decorateReply: false });
  // A picture's id is that of its task: /api/tasks/<id> tells of it for as long as the picture is there.
  const routes = {
    prefix: "/api/tasks",
    authorize: (_: unknown, { id }: Access) => parts.shelf.get(id) !== undefined,
    queues: [processPicture.options.queue],
  };
  await app.register(taskferry, { config: parts.config, routes });
  const inQueue = createInQueue({ ...parts, client: app.tasks.client });
  addRoutes(app, { ...parts, inQueue });
  return { app, inQueue };
}
