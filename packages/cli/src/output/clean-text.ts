// A name or a message may come from anybody who can enqueue: what it holds must not steer the terminal.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controlCharacters = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;

/** `text` without characters that a terminal obeys; line feeds and tabs stay. */
export function cleanText(text: string): string {
  return text.replace(controlCharacters, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** The same in one line, cut at `width` characters. */
export function cleanLine(text: string, width = Number.POSITIVE_INFINITY): string {
  const line = cleanText(text).replace(/\s*\n\s*|\t/g, " ");
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}
