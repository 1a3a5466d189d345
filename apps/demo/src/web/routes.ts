import type { FastifyInstance, FastifyRequest } from "fastify";
import { thumbnailPath, thumbnailSizes } from "../picture/thumbnails.ts";
import type { Archive } from "./archive.ts";
import type { EventStream } from "./event-stream.ts";
import type { InQueue } from "./in-queue.ts";
import { workInline } from "./inline.ts";
import { isMode, type Mode, type Picture } from "./picture.ts";
import type { Shelf } from "./shelf.ts";
import { receiveUploads } from "./uploads.ts";

/** A picture that the page offers to whoever has none at hand. */
export interface Sample {
  readonly name: string;
  readonly bytes: number;
}

export interface RouteParts {
  readonly shelf: Shelf;
  readonly archive: Archive;
  readonly inQueue: InQueue;
  readonly stream: EventStream;
  readonly samples: readonly Sample[];
  readonly samplesFolder: string;
  /** The scheme of the broker's URL, for the page to show. */
  readonly broker: string;
  readonly signal: AbortSignal;
}

export function addRoutes(app: FastifyInstance, parts: RouteParts): void {
  const { shelf, archive, stream, samples, broker } = parts;

  app.get("/api/ping", (_, reply) => reply.header("cache-control", "no-store").send({ pong: true }));

  app.get("/api/events", (request, reply) => {
    reply.hijack();
    stream.join(reply.raw, { event: "state", data: { broker, samples, pictures: shelf.list() } });
    request.raw.socket.setKeepAlive(true);
  });

  app.get("/api/pictures", () => ({ pictures: shelf.list() }));

  app.get<{ Params: { id: string } }>("/api/pictures/:id", (request, reply) => {
    const picture = shelf.get(request.params.id);
    return picture ?? reply.code(404).send({ message: "There is no such picture." });
  });

  app.get<{ Params: { id: string; size: string } }>("/api/pictures/:id/thumbnails/:size", (request, reply) => {
    const { id, size } = request.params;
    const known = thumbnailSizes.find((one) => String(one) === size);
    if (known === undefined || shelf.get(id)?.status !== "succeeded")
      return reply.code(404).send({ message: `There is no such thumbnail. Sizes: ${thumbnailSizes.join(", ")}.` });
    return reply
      .header("cache-control", "private, max-age=86400, immutable")
      .sendFile(thumbnailPath("", known), archive.folder(id), { cacheControl: false });
  });

  app.post<{ Querystring: { mode?: string } }>("/api/pictures", async (request, reply) => {
    const { mode = "queue" } = request.query;
    if (!isMode(mode)) return reply.code(400).send({ message: 'Expected mode "queue" or "inline".' });
    const pictures = await takeIn(request, mode, parts);
    if (pictures.length === 0) return reply.code(400).send({ message: "Expected at least one file, got none." });
    return reply.code(mode === "queue" ? 202 : 200).send({ pictures });
  });

  app.delete("/api/pictures", async (_, reply) => {
    await shelf.clear();
    return reply.code(204).send();
  });
}

/** Takes in each file of the request; with `inline` the request also waits for all the work. */
async function takeIn(request: FastifyRequest, mode: Mode, parts: RouteParts): Promise<readonly Picture[]> {
  const { shelf, archive, inQueue } = parts;
  const received: Picture[] = [];
  for await (const picture of receiveUploads(request.parts(), archive, mode)) {
    received.push(picture);
    await shelf.add(picture);
    if (picture.status === "failed") continue;
    if (mode === "queue") await inQueue.start(picture);
    else await workInline(picture, parts);
  }
  // Somebody may have removed one already.
  return received.map((picture) => shelf.get(picture.id) ?? picture);
}
