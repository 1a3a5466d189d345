import { basename } from "node:path";
import type { Mode } from "../web/picture.ts";
import type { Latencies } from "./latency-meter.ts";
import type { Sent } from "./send-pictures.ts";

export interface Verdict extends Sent {
  /** Absent: it came out. */
  readonly fault: string | undefined;
}

const header = ["file", "picture", "upload", "thumbnails", "waited", "worked", "total"] as const;
/** Columns of text; the others hold numbers and end flush. */
const isText = (column: number): boolean => column === 0 || column === 3;

/** One line for each file: what it was, what came out, and the milliseconds that it took. */
export function table(verdicts: readonly Verdict[]): string {
  const rows = [[...header], ...verdicts.map(row)];
  const widths = header.map((_, column) =>
    Math.max(...rows.map((cells) => (cells.length > column + 1 || column === 0 ? (cells[column] ?? "").length : 0))),
  );
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  lines.splice(
    1,
    0,
    widths.map((width, column) => "-".repeat(Math.max(width, header[column]?.length ?? 0))).join("  "),
  );
  return lines.join("\n");
}

function row({ path, picture, total, fault }: Verdict): string[] {
  const { result, bytes, waited, worked } = picture;
  const upload = kilobytes(bytes);
  if (fault !== undefined || result === undefined) return [basename(path), "-", upload, `FAILED: ${fault}`];
  const thumbnails = result.thumbnails.map(({ width, height }) => `${width}x${height}`).join(" ");
  return [
    basename(path),
    `${result.width}x${result.height}`,
    upload,
    thumbnails,
    ...[waited, worked, total].map(milliseconds),
  ];
}

/** What the cheap endpoint went through while the work ran. */
export function latencyLine({ requests, failures, p50, p99, max }: Latencies, mode: Mode): string {
  const where = mode === "queue" ? "in the worker" : "inside the requests";
  const failed = failures > 0 ? `, ${failures} without an answer` : "";
  return `Cheap endpoint while the work ran ${where}: p99 ${p99.toFixed(1)} ms, p50 ${p50.toFixed(1)} ms, slowest ${max.toFixed(1)} ms (${requests} requests${failed}).`;
}

function kilobytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024).toLocaleString("en")} KiB`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? "-" : `${Math.round(value).toLocaleString("en")} ms`;
}
