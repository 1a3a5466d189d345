// biome-ignore-all assist/source/organizeImports: in the order of use, as a table of contents

// Private servers
export type { PrivateServer } from "./servers/private-server.ts";
export type { NatsServerOptions, NatsUser } from "./servers/nats.ts";
export { startNats } from "./servers/nats.ts";
export type { NatsCluster } from "./servers/nats-cluster.ts";
export { startNatsCluster } from "./servers/nats-cluster.ts";
export type { RabbitmqOptions, RabbitmqServer } from "./servers/rabbitmq.ts";
export { startRabbitmq } from "./servers/rabbitmq.ts";
export type { RedisMemoryPolicy, RedisOptions } from "./servers/redis.ts";
export { startRedis } from "./servers/redis.ts";
export type { RedisCluster, RedisClusterOptions } from "./servers/redis-cluster.ts";
export { startRedisCluster } from "./servers/redis-cluster.ts";
export type { RedisSentinelGroup, RedisSentinelOptions } from "./servers/redis-sentinel.ts";
export { startRedisSentinel } from "./servers/redis-sentinel.ts";
export type { ServerKind, ServerPlace } from "./servers/spawn-server.ts";
export { spawnServer } from "./servers/spawn-server.ts";
export type { ServerName } from "./servers/find-servers.ts";
export { findServers, requireServer } from "./servers/find-servers.ts";

// Faults of the network
export type { ProxyTarget } from "./fault-proxy/create-fault-proxy.ts";
export { createFaultProxy } from "./fault-proxy/create-fault-proxy.ts";
export type { FaultMode } from "./fault-proxy/fault-mode.ts";
export type {
  CutOptions,
  FaultProxy,
  ProxyCounts,
  ProxyEvent,
  ProxyEventOf,
  ProxyWaitOptions,
} from "./fault-proxy/fault-proxy.ts";

// Processes to be killed
export type { ProcessExit } from "./processes/guarded-process.ts";
export type { SpawnProcessOptions } from "./processes/spawn-process.ts";
export { spawnProcess } from "./processes/spawn-process.ts";
export type { ProcessMessage, SpawnedProcess } from "./processes/spawned-process.ts";

// The total queue: nothing lost, nothing from nowhere
export type { HistoryEvent, HistoryEventName } from "./total-queue/history-event.ts";
export type { HistoryWriter } from "./total-queue/history-writer.ts";
export { openHistory } from "./total-queue/history-writer.ts";
export type { Duplicate, Verdict } from "./total-queue/verdict.ts";
export { judge } from "./total-queue/verdict.ts";
export type { TotalQueueLimits } from "./total-queue/check-history.ts";
export { assertTotalQueue, checkHistory, readHistory, reportVerdict } from "./total-queue/check-history.ts";

// Conformance suites
export type { Fault, Harness, HarnessRequest, Interruption } from "./suites/harness.ts";
export type { BrokerFault, BrokerHarness, BrokerOperation } from "./suites/broker/broker-harness.ts";
export type { BrokerTiming } from "./suites/broker/broker-scene.ts";
export type { BrokerSuiteOptions } from "./suites/broker/test-broker.ts";
export { testBroker } from "./suites/broker/test-broker.ts";
export type { ResultHarness, ResultOperation, ResultTiming } from "./suites/results/result-scene.ts";
export type { ResultBackendSuiteOptions } from "./suites/results/test-result-backend.ts";
export { testResultBackend } from "./suites/results/test-result-backend.ts";
export type { StateHarness, StateOperation, StateTiming } from "./suites/state/state-scene.ts";
export type { StateStoreSuiteOptions } from "./suites/state/test-state-store.ts";
export { testStateStore } from "./suites/state/test-state-store.ts";
export type { RichKind } from "./suites/serializer/serializer-scene.ts";
export type { SerializerSuiteOptions } from "./suites/serializer/test-serializer.ts";
export { testSerializer } from "./suites/serializer/test-serializer.ts";
export type { FaultOffer, FaultOperation, FaultSubject } from "./suites/faults/fault-needs.ts";
export type { Configure, FaultPlace } from "./suites/faults/fault-place.ts";
export type { FaultSuiteOptions } from "./suites/faults/test-faults.ts";
export type { SuitePart } from "./suites/part-of-rules.ts";
export { testFaults } from "./suites/faults/test-faults.ts";
export type { Skip } from "./suites/rulebook.ts";

// Logs of what failed
export type { FailureHook, LogSource } from "./servers/show-logs.ts";
export { showLogsOnFailure } from "./servers/show-logs.ts";

// Waits and errors
export type { WaitOptions } from "./waiters.ts";
export type { TestingErrorCode } from "./testing-error.ts";
export { isTestingError } from "./testing-error.ts";
