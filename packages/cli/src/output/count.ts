/** `1 dead letter`, `2 dead letters`. */
export function countOf(amount: number, thing: string): string {
  return amount === 1 ? `1 ${thing}` : `${amount} ${thing}s`;
}
