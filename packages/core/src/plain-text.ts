const plainText = /^[A-Za-z0-9_.:/+-]*$/;
/** Names that were looked at before, such as those of tasks and queues. */
const familiar = new Set<string>();
const mostFamiliar = 64;

/** Whether JSON writes a text as it is, between quotes. A no only means that somebody has to look. */
export function isPlainText(text: string): boolean {
  return plainText.test(text);
}

/** The same for a text that comes again and again. */
export function isPlainName(name: string): boolean {
  if (familiar.has(name)) return true;
  if (!plainText.test(name)) return false;
  if (familiar.size === mostFamiliar) familiar.clear();
  familiar.add(name);
  return true;
}
