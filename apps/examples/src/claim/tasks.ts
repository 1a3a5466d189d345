import { defineTask } from "@taskferry/core";

export const url = process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/claim.db";

/** Costs money: two of one order must never run at once, nor one after the other. */
export const charge = defineTask<{ order: number }, string>("charge", { claim: true });
