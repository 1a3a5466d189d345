import { processUpload } from "../picture/process-upload.ts";
import type { Archive } from "./archive.ts";
import type { Picture, PictureChange } from "./picture.ts";
import type { Shelf } from "./shelf.ts";

/**
 * The work as it should not be done: inside the request, in the process that answers everybody else. It is the same
 * function that the worker runs.
 *
 * @param signal - aborts when the web process stops; the work is lost then.
 */
export async function workInline(
  { id, uploadedAt }: Picture,
  { shelf, archive, signal }: { readonly shelf: Shelf; readonly archive: Archive; readonly signal: AbortSignal },
): Promise<void> {
  const startedAt = Date.now();
  const changes: Promise<void>[] = [];
  const change = (next: PictureChange): void => void changes.push(shelf.change(id, next));
  const times = (): PictureChange => ({ waited: startedAt - uploadedAt, worked: Date.now() - startedAt });
  try {
    const result = await processUpload(
      { source: archive.upload(id), folder: archive.folder(id) },
      { signal, progress: (progress, note) => change({ status: "working", progress, note }) },
    );
    change({ ...times(), status: "succeeded", progress: 1, note: "", result });
  } catch (error) {
    change({ ...times(), status: "failed", note: "", reason: error instanceof Error ? error.message : String(error) });
  }
  await Promise.all(changes);
}
