import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import sharp from "sharp";
import type { PictureInput, PictureResult } from "../tasks.ts";
import { findPalette } from "./palette.ts";
import { type Pixels, thumbnailSizes, writeThumbnail } from "./thumbnails.ts";
import { explain, UnreadablePicture } from "./unreadable-picture.ts";

// What runs beside each other are pictures, so that one picture needs no more than one thread of libvips.
sharp.concurrency(1);

const maxPixels = 100_000_000;
const largest = Math.max(...thumbnailSizes);

/** How the work tells of itself, and is told to end. Both modes of the application give one. */
export interface Watch {
  readonly signal: AbortSignal;
  progress(value: number, note: string): void;
}

/**
 * The heavy work: checksum, decoding, thumbnails, palette. The same function runs in the worker and, with the switch
 * thrown, inside the web process.
 *
 * @throws UnreadablePicture
 */
export async function processUpload({ source, folder }: PictureInput, watch: Watch): Promise<PictureResult> {
  const step = stepsOf(watch);
  await step(0.05, "checksum");
  const upload = await readUpload(source);
  const checksum = createHash("sha256").update(upload).digest("hex");
  await step(0.15, "decoding");
  const { width, height, format } = await readHeader(upload);
  const pixels = await decode(upload);

  const thumbnails: PictureResult["thumbnails"] = [];
  for (const [index, size] of thumbnailSizes.entries()) {
    await step((index + 3) / 10, `thumbnail ${size}`);
    thumbnails.push(await writeThumbnail(pixels, size, folder));
  }
  await step(0.6, "palette");
  const palette = await findPalette(pixels.data, (part) => step(0.6 + part * 0.4, "palette"));
  watch.progress(1, "done");
  return { width, height, bytes: upload.length, format, checksum, thumbnails, palette };
}

/** Says what comes next, and gives the event loop a turn so that it can be told. */
function stepsOf({ signal, progress }: Watch) {
  return async (value: number, note: string): Promise<void> => {
    signal.throwIfAborted();
    progress(value, note);
    await nextTurn();
  };
}

async function readUpload(source: string): Promise<Buffer> {
  const upload = await readFile(source).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new UnreadablePicture("The upload was removed before it was worked on.");
    throw error;
  });
  if (upload.length === 0) throw new UnreadablePicture("This file is empty.");
  return upload;
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly format: string;
}

async function readHeader(upload: Buffer): Promise<Header> {
  try {
    const { autoOrient, format } = await sharp(upload, { limitInputPixels: maxPixels }).metadata();
    return { ...autoOrient, format };
  } catch (error) {
    throw explain(error);
  }
}

/** Decodes once, upright, no larger than the largest thumbnail needs. */
async function decode(upload: Buffer): Promise<Pixels> {
  try {
    const { data, info } = await sharp(upload, { limitInputPixels: maxPixels })
      .autoOrient()
      .toColourspace("srgb")
      .resize(largest, largest, { fit: "inside", withoutEnlargement: true })
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height };
  } catch (error) {
    throw explain(error);
  }
}
