import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import sharp from "sharp";
import type { PictureResult } from "../tasks.ts";
import type { Sent } from "./send-pictures.ts";

/** What is wrong with what came out for a file; `undefined` when everything is right. */
export async function verify(url: string, { path, picture }: Sent): Promise<string | undefined> {
  const { id, result, reason } = picture;
  if (result === undefined) return reason ?? "It ended without a result.";
  const checksum = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  if (checksum !== result.checksum) return `The checksum is ${result.checksum}, and that of the file ${checksum}.`;
  if (result.palette.length === 0) return "The palette is empty.";
  for (const thumbnail of result.thumbnails) {
    const fault = await verifyThumbnail(`${url}/api/pictures/${id}/thumbnails/${thumbnail.size}`, thumbnail);
    if (fault !== undefined) return `Thumbnail ${thumbnail.size}: ${fault}`;
  }
  return undefined;
}

async function verifyThumbnail(
  url: string,
  expected: PictureResult["thumbnails"][number],
): Promise<string | undefined> {
  const response = await fetch(url);
  if (!response.ok) return `the server answered ${response.status}.`;
  const { width, height } = await sharp(Buffer.from(await response.arrayBuffer())).metadata();
  if (width === expected.width && height === expected.height) return undefined;
  return `expected ${expected.width} x ${expected.height}, got ${width} x ${height}.`;
}
