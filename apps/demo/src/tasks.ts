import { defineTask } from "@taskferry/core";
import { z } from "zod";

const pictureInput = z.object({
  /** Where the upload lies. The message carries the path; the bytes stay on disk. */
  source: z.string(),
  /** Where the thumbnails go. */
  folder: z.string(),
});

const measured = { width: z.int(), height: z.int(), bytes: z.int() };

const pictureResult = z.object({
  ...measured,
  format: z.string(),
  /** SHA-256 of the upload, in hexadecimal. */
  checksum: z.string(),
  thumbnails: z.array(z.object({ size: z.int(), ...measured })),
  /** At most six colours, that of most pixels first; `share` is its part of all pixels, 0 to 1. */
  palette: z.array(z.object({ colour: z.string(), share: z.number() })),
});

export type PictureInput = z.infer<typeof pictureInput>;
export type PictureResult = z.infer<typeof pictureResult>;

export const processPicture = defineTask("picture.process", {
  input: pictureInput,
  output: pictureResult,
  queue: "pictures",
  retry: { attempts: 3, backoff: { from: "500ms", to: "5s" } },
  timeout: "2m",
});
