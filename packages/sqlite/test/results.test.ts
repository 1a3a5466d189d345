import { testResultBackend } from "@taskferry/testing";
import { createResults } from "../src/results.ts";
import { sqliteResults } from "../src/sqlite.ts";
import { cannotWithSharedThread, separateThreads, sharedThread } from "./harness.ts";

testResultBackend({
  name: "sqlite, a thread for each backend",
  create: (request) => separateThreads(request, createResults),
});

testResultBackend({
  name: "sqlite, backends on one thread",
  cannot: cannotWithSharedThread,
  create: (request) => sharedThread(request, sqliteResults),
});
