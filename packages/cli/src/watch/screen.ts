import type { OutputStream } from "../terminal.ts";

/** A terminal as one page that is drawn again and again, while what it showed before waits behind it. */
export interface Screen {
  draw(text: string): void;
  /** Shows what was there before. */
  close(): void;
}

const sequence = "\u001b[";
const [otherPage, formerPage] = [`${sequence}?1049h`, `${sequence}?1049l`];
const [hideCursor, showCursor] = [`${sequence}?25l`, `${sequence}?25h`];
/** A line that is too long is cut by the terminal itself, so that colours count for nothing. */
const [cutLines, wrapLines] = [`${sequence}?7l`, `${sequence}?7h`];
const [toTop, endLine, endPage] = [`${sequence}H`, `${sequence}K`, `${sequence}J`];

/** Whether a stream is a terminal that can be drawn on. */
export function canDraw(stream: OutputStream, { TERM }: Readonly<Record<string, string | undefined>>): boolean {
  return stream.isTTY === true && TERM !== "dumb";
}

export function openScreen(stream: OutputStream): Screen {
  stream.write(`${otherPage}${hideCursor}${cutLines}`);
  return {
    draw: (text) => {
      // One more would make the terminal scroll. Some terminals do not know their size, and say 0.
      const lines = text.split("\n").slice(0, stream.rows || 24);
      stream.write(`${toTop}${lines.map((line) => `${line}${endLine}`).join("\r\n")}${endPage}`);
    },
    close: () => void stream.write(`${wrapLines}${showCursor}${formerPage}`),
  };
}
