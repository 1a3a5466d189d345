import type { Fault } from "../protocol.ts";
import { UnusableFile } from "./schema.ts";
import { resultCode } from "./session.ts";

export function toFault(error: unknown): Fault {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof UnusableFile) return { code: "UNUSABLE", message };
  return { code: resultCode(error) || "ERROR", message };
}
