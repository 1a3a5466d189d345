import type { Client, Handle, Outcome } from "@taskferry/core";
import { type PictureResult, processPicture } from "../tasks.ts";
import type { Archive } from "./archive.ts";
import type { Picture, PictureChange } from "./picture.ts";
import type { Shelf } from "./shelf.ts";

export interface QueueParts {
  readonly client: Client;
  readonly shelf: Shelf;
  readonly archive: Archive;
  /** Aborts when the web process stops: the tasks go on without it. */
  readonly signal: AbortSignal;
  readonly onError: (error: unknown) => void;
}

/** The work as it should be done: handed to a worker, while this process only listens. */
export interface InQueue {
  /** Resolves as soon as the broker has the task; where it takes none, the picture has failed and says why. */
  start(picture: Picture): Promise<void>;
  /** Goes on listening to a picture that was enqueued before this process began. */
  resume(picture: Picture): void;
}

export function createInQueue({ client, shelf, archive, signal, onError }: QueueParts): InQueue {
  const follow = async ({ id, uploadedAt }: Picture, handle: Handle<PictureResult>): Promise<void> => {
    const showOutcome = async (): Promise<void> =>
      shelf.change(id, ending(await handle.outcome({ signal }), uploadedAt));
    await Promise.all([showOutcome(), followProgress(handle)]);
  };
  const followProgress = async (handle: Handle<PictureResult>): Promise<void> => {
    for await (const { value, note } of handle.progress({ signal })) {
      await shelf.change(handle.id, { status: "working", progress: value, note: note ?? "" });
    }
  };
  const listen = (picture: Picture, handle: Handle<PictureResult>): void => {
    follow(picture, handle).catch(async (error: unknown) => {
      if (signal.aborted) return;
      onError(error);
      await shelf.change(picture.id, { status: "failed", reason: messageOf(error) });
    });
  };
  return {
    start: async (picture) => {
      const { id } = picture;
      const input = { source: archive.upload(id), folder: archive.folder(id) };
      try {
        listen(picture, await client.enqueue(processPicture, input, { id }));
      } catch (error) {
        onError(error);
        await shelf.change(id, { status: "failed", reason: messageOf(error) });
      }
    },
    resume: (picture) => listen(picture, client.handle(processPicture, picture.id)),
  };
}

function ending(outcome: Outcome<PictureResult>, uploadedAt: number): PictureChange {
  const { startedAt = outcome.finishedAt, finishedAt } = outcome;
  const times = { waited: Math.max(0, startedAt - uploadedAt), worked: finishedAt - startedAt };
  switch (outcome.status) {
    case "succeeded":
      return { ...times, status: "succeeded", progress: 1, note: "", result: outcome.result };
    case "failed":
      return { ...times, status: "failed", note: "", reason: outcome.error.message };
    case "cancelled":
      return { ...times, status: "failed", note: "", reason: outcome.reason };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
