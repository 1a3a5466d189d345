import { defineTask } from "@taskferry/core";

export const primes = defineTask<{ below: number }, number>("primes", { isolation: "thread" });
export const spin = defineTask("spin", { isolation: "thread", timeout: 200 });
