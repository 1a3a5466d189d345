/**
 * Milliseconds before the n-th retry (from 1): random between 0 and `from` times 2 to the power of n - 1, at most `to`.
 * Full jitter, because retries that were caused by one fault must not come back at one moment.
 */
export function backoff(
  retry: number,
  { from, to }: { readonly from: number; readonly to: number },
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(to, from * 2 ** Math.min(retry - 1, 52));
  return Math.round(random() * ceiling);
}
