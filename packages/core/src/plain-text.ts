const plainText = /^[A-Za-z0-9_.:/+-]*$/;

/** Whether JSON writes a text as it is, between quotes. A no only means that somebody has to look. */
export function isPlainText(text: string): boolean {
  return plainText.test(text);
}
