import { rename } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import type { PictureResult } from "../tasks.ts";

/** The longer side of each thumbnail, in pixels. Nothing is enlarged. */
export const thumbnailSizes = [160, 480, 1200] as const;

/** A decoded picture: four bytes a pixel, red, green, blue, alpha. */
export interface Pixels {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
}

export function thumbnailPath(folder: string, size: number): string {
  return join(folder, `thumbnail-${size}.webp`);
}

export async function writeThumbnail(
  { data, width, height }: Pixels,
  size: number,
  folder: string,
): Promise<PictureResult["thumbnails"][number]> {
  const path = thumbnailPath(folder, size);
  // A task may be run again after a crash: a reader sees the old file or the new one, never half of one.
  const unfinished = `${path}.unfinished`;
  const made = await sharp(data, { raw: { width, height, channels: 4 } })
    .resize(size, size, { fit: "inside", withoutEnlargement: true })
    .webp({ quality: 82 })
    .toFile(unfinished);
  await rename(unfinished, path);
  return { size, width: made.width, height: made.height, bytes: made.size };
}
