import { defineConfig } from "@taskferry/core";

export default defineConfig({ broker: "memory:" });
