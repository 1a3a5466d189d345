import { defineConfig } from "@taskferry/core";

/** The only file that names a broker: `TASKFERRY_BROKER=redis://localhost:6379` moves the whole application. */
export default defineConfig({
  broker: process.env.TASKFERRY_BROKER || "sqlite:.taskferry/demo.db",
  handlers: ["./src/handlers.ts"],
  queues: { pictures: { concurrency: 2 } },
});
