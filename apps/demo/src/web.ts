// The web process: takes uploads, enqueues tasks, shows what becomes of them. It touches no pixel unless told to.
import { setMaxListeners } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import config from "../taskferry.config.ts";
import { sayLastWords } from "./launch/last-words.ts";
import { onStopAsked, tellReady } from "./launch/link.ts";
import { plainLogger } from "./plain-logger.ts";
import { preferredPort, readSettings } from "./settings.ts";
import { createArchive } from "./web/archive.ts";
import { createEventStream } from "./web/event-stream.ts";
import { isEnded } from "./web/picture.ts";
import type { Sample } from "./web/routes.ts";
import { createServer } from "./web/server.ts";
import { createShelf } from "./web/shelf.ts";

sayLastWords("web");
const settings = readSettings();
const { samplesFolder } = settings;
const logger = plainLogger("web");
const stopping = new AbortController();
const { signal } = stopping;
// Each picture that is being worked on listens to it.
setMaxListeners(0, signal);

const archive = createArchive(settings.dataFolder);
const shelf = await createShelf(archive);
const stream = createEventStream();
const samples = await listSamples();
const { app, inQueue } = await createServer({
  config: { ...config, logger },
  shelf,
  archive,
  stream,
  samples,
  samplesFolder,
  broker: config.broker.split(":", 1)[0] as string,
  signal,
  onError: (error) => logger.error({ error }, "a picture could not be enqueued or followed"),
});
shelf.on((event) => {
  if (event.type === "picture") stream.send("picture", event.picture);
  else stream.send("removed", event.ids);
});
for (const picture of shelf.list()) {
  if (isEnded(picture)) continue;
  // What was in the queue goes on; what was done inside a request of an earlier process is lost.
  if (picture.mode === "queue") inQueue.resume(picture);
  else await shelf.change(picture.id, { status: "failed", reason: "The web process ended while it worked on this." });
}

const url = await listen(app);
onStopAsked(() => void stop());
tellReady({ url });

async function listSamples(): Promise<readonly Sample[]> {
  const names = await readdir(samplesFolder);
  return Promise.all(
    names.toSorted().map(async (name) => ({ name, bytes: (await stat(join(samplesFolder, name))).size })),
  );
}

async function stop(): Promise<void> {
  stopping.abort();
  stream.close();
  await app.close();
  if (process.connected) process.disconnect();
}

async function listen(server: FastifyInstance): Promise<string> {
  const { host, port } = settings;
  try {
    return await server.listen({ host, port: port ?? preferredPort });
  } catch (error) {
    if (port !== undefined || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return await server.listen({ host, port: 0 });
  }
}
