import multipart from "@fastify/multipart";
import statics from "@fastify/static";
import Fastify, { type FastifyInstance } from "fastify";
import { publicFolder } from "../settings.ts";
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

export async function createServer(parts: RouteParts): Promise<FastifyInstance> {
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
  addRoutes(app, parts);
  return app;
}
