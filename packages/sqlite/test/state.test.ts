import { testStateStore } from "@taskferry/testing";
import { sqliteState } from "../src/sqlite.ts";
import { createState } from "../src/state.ts";
import { cannotWithSharedThread, separateThreads, sharedThread } from "./harness.ts";

testStateStore({ name: "sqlite, a thread for each store", create: (request) => separateThreads(request, createState) });

testStateStore({
  name: "sqlite, stores on one thread",
  cannot: cannotWithSharedThread,
  create: (request) => sharedThread(request, sqliteState),
});
