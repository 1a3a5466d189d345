import { parentPort } from "node:worker_threads";
import type { Request } from "../isolation/protocol.ts";
import { Host } from "./host.ts";
import { connectProcess, connectThread } from "./ports.ts";

const port = parentPort === null ? connectProcess() : connectThread(parentPort);
const host = new Host(port);
port.listen((requests: readonly Request[]) => {
  for (const request of requests) host.take(request);
});
