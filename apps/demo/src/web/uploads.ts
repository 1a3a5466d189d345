import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Multipart, MultipartFile } from "@fastify/multipart";
import type { Archive } from "./archive.ts";
import type { Mode, Picture } from "./picture.ts";

export const maxUploadBytes = 25 * 1024 * 1024;
export const maxFilesInRequest = 100;
const maxTextLength = 200;

/** Writes the files of one request to disk, in the order in which they come. A field `ref` names the file that follows it. */
export async function* receiveUploads(parts: AsyncIterable<Multipart>, archive: Archive, mode: Mode) {
  let ref: string | undefined;
  for await (const part of parts) {
    if (part.type === "field") {
      if (part.fieldname === "ref" && typeof part.value === "string") ref = part.value.slice(0, maxTextLength);
      continue;
    }
    yield await receive(part, archive, { mode, ...(ref !== undefined && { ref }) });
    ref = undefined;
  }
}

async function receive(
  { file, filename }: MultipartFile,
  archive: Archive,
  known: { readonly mode: Mode; readonly ref?: string },
): Promise<Picture> {
  const id = randomUUID();
  await archive.open(id);
  const target = createWriteStream(archive.upload(id));
  await pipeline(file, target);
  const picture = {
    ...known,
    id,
    // The name is shown and never used as a path.
    name: basename(filename.replaceAll("\\", "/")).slice(0, maxTextLength) || "unnamed",
    bytes: target.bytesWritten,
    uploadedAt: Date.now(),
    progress: 0,
    note: "",
  };
  if (!file.truncated) return { ...picture, status: "waiting" };
  const reason = `This file is larger than ${maxUploadBytes / 1024 / 1024} MiB.`;
  return { ...picture, status: "failed", reason };
}
