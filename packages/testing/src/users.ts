// biome-ignore-all assist/source/organizeImports: in the order of use, as a table of contents
// For the tests of applications; it needs no vitest.

// One handler
export type { HandlerResult, RunHandlerOptions } from "./users/run-handler.ts";
export { runHandler } from "./users/run-handler.ts";
export type { FakeChild, FakeContext } from "./users/fake-context.ts";
export { fakeContext } from "./users/fake-context.ts";

// A client and a worker
export type { TestApp, TestAppOptions } from "./users/test-app.ts";
export { createTestApp } from "./users/test-app.ts";
export { drain } from "./users/drain.ts";
export type { EnqueuedTask, EnqueueRecorder } from "./users/record-enqueues.ts";
export { recordEnqueues } from "./users/record-enqueues.ts";

// Time
export type { FakeClock } from "./users/fake-clock.ts";
export { fakeClock } from "./users/fake-clock.ts";

// Assertions
export type { MatcherResult, MatcherState } from "./users/matchers.ts";
export { taskferryMatchers } from "./users/matchers.ts";
