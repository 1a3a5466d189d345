import { testResultBackend } from "@taskferry/testing";
import { createResults } from "../src/results.ts";
import { sqliteResults } from "../src/sqlite.ts";
import { callTimeout, cannotWithSharedThread, separateThreads, sharedThread } from "./harness.ts";

testResultBackend({ name: "sqlite, a thread for each backend", create: () => separateThreads(createResults) });

testResultBackend({
  name: "sqlite, backends on one thread",
  cannot: cannotWithSharedThread,
  create: () => sharedThread((path) => sqliteResults({ path, timeout: callTimeout })),
});
