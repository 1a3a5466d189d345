import { cleanLine } from "./clean-text.ts";
import type { Paint } from "./paint.ts";

/** A column: its heading, and what an item shows in it. Numbers are set to the right. */
export interface Column<T> {
  readonly heading: string;
  readonly cell: (item: T) => string | number;
  /** Longer texts are cut. Default: not. */
  readonly width?: number;
}

export function formatTable<T>(items: readonly T[], columns: readonly Column<T>[], paint: Paint): string {
  const cells = items.map((item) => columns.map(({ cell, width }) => toCell(cell(item), width)));
  const widths = columns.map(({ heading }, index) =>
    Math.max(heading.length, ...cells.map((row) => row[index]?.text.length ?? 0)),
  );
  const line = (row: readonly Cell[]): string => row.map((cell, index) => pad(cell, widths[index] ?? 0)).join("  ");
  const isRight = (index: number): boolean => cells.length > 0 && cells.every((row) => row[index]?.isNumber === true);
  const head = line(columns.map(({ heading }, index) => ({ text: heading, isNumber: isRight(index) })));
  return [paint("dim", head.trimEnd()), ...cells.map((row) => line(row).trimEnd())].join("\n");
}

/** Names and values in two columns; what is `undefined` is left out. */
export function formatFields(fields: Readonly<Record<string, string | number | undefined>>, paint: Paint): string {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  const width = Math.max(...present.map(([name]) => name.length));
  return present.map(([name, value]) => `${paint("dim", name.padEnd(width))}  ${value}`).join("\n");
}

interface Cell {
  readonly text: string;
  readonly isNumber: boolean;
}

function toCell(value: string | number, width: number | undefined): Cell {
  return { text: cleanLine(String(value), width), isNumber: typeof value === "number" };
}

function pad({ text, isNumber }: Cell, width: number): string {
  return isNumber ? text.padStart(width) : text.padEnd(width);
}
