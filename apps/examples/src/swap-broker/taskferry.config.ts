import { defineConfig } from "@taskferry/core";

// The only file that names a broker. TASKFERRY_BROKER moves the program to another one:
// "memory:", "sqlite:.taskferry/swap.db" or "redis://127.0.0.1:6379".
export default defineConfig({
  broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/swap.db",
  results: process.env["TASKFERRY_RESULTS"],
});
