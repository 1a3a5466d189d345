import type { PictureResult } from "../tasks.ts";

/** Where the work is done: by a worker, or inside the request, in the web process itself. */
export type Mode = "queue" | "inline";

/** An uploaded picture as the page sees it. */
export interface Picture {
  readonly id: string;
  /** What the uploader called this file in its request, so that it can tell its own. */
  readonly ref?: string;
  readonly name: string;
  readonly bytes: number;
  readonly mode: Mode;
  /** Epoch milliseconds. */
  readonly uploadedAt: number;
  readonly status: "waiting" | "working" | "succeeded" | "failed";
  /** 0 to 1, and what is being done. */
  readonly progress: number;
  readonly note: string;
  readonly result?: PictureResult;
  /** Why it failed, for whoever uploaded it. */
  readonly reason?: string;
  /** Milliseconds from the upload to the start of the work, and from there to its end. */
  readonly waited?: number;
  readonly worked?: number;
}

export type PictureChange = Partial<
  Pick<Picture, "status" | "progress" | "note" | "result" | "reason" | "waited" | "worked">
>;

export function isEnded({ status }: Pick<Picture, "status">): boolean {
  return status === "succeeded" || status === "failed";
}

export function isMode(value: unknown): value is Mode {
  return value === "queue" || value === "inline";
}
