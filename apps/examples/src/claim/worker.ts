import { once } from "node:events";
import { createWorker, silentLogger } from "@taskferry/core";
import { charge, url } from "./tasks.ts";

const [, , name = ""] = process.argv;
const tell = (what: string): void => void process.send?.(`the ${name} worker ${what}`);

const onCharge = charge.handler(async (_, { signal }) => {
  tell("begins");
  if (name === "first") {
    await once(signal, "abort");
    tell(`hears ${signal.reason.code}`);
  }
  return `by the ${name} worker`;
});

const worker = createWorker({ broker: url, handlers: [onCharge], lease: "600ms", logger: silentLogger });
worker.on(({ type }) => {
  if (type === "task.lost") tell("has its result refused");
});
process.once("message", () => void worker.stop().then(() => process.disconnect()));
await worker.start();
