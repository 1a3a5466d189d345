import { primes, spin } from "./tasks.ts";

export const onPrimes = primes.handler(({ below }) => {
  let count = 0;
  for (let number = 2; number < below; number += 1) {
    let divisor = 2;
    while (divisor * divisor <= number && number % divisor !== 0) divisor += 1;
    if (divisor * divisor > number) count += 1;
  }
  return count;
});

// Nothing but force ends it.
export const onSpin = spin.handler(() => {
  for (;;) Math.random();
});
