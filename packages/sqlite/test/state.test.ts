import { testStateStore } from "@taskferry/testing";
import { sqliteState } from "../src/sqlite.ts";
import { createState } from "../src/state.ts";
import { callTimeout, cannotWithSharedThread, separateThreads, sharedThread } from "./harness.ts";

testStateStore({ name: "sqlite, a thread for each store", create: () => separateThreads(createState) });

testStateStore({
  name: "sqlite, stores on one thread",
  cannot: cannotWithSharedThread,
  create: () => sharedThread((path) => sqliteState({ path, timeout: callTimeout })),
});
