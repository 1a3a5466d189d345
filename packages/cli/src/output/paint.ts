import { styleText } from "node:util";
import type { OutputStream, Terminal } from "../terminal.ts";

type Style = Parameters<typeof styleText>[0];

/** Gives `text` a colour, or nothing where colours are not wanted. */
export type Paint = (style: Style, text: string) => string;

/** Colours for a terminal, unless NO_COLOR is set or the terminal is dumb. */
export function createPaint(stream: OutputStream, env: Terminal["env"]): Paint {
  const isPlain = stream.isTTY !== true || (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb";
  if (isPlain) return (_, text) => text;
  // Whether this very stream takes colours was decided above: Node would ask its own stdout.
  return (style, text) => styleText(style, text, { validateStream: false });
}
