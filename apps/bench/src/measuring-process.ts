import { measure, type Order } from "./measure.ts";

process.once("message", (order: Order) => {
  measure(order).then(
    (measurement) => process.send?.({ measurement }, () => process.exit(0)),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? error.stack : String(error) }, () => process.exit(1)),
  );
});
