import { memory } from "@taskferry/core";
import { type FaultPlace, testFaults } from "../src/index.ts";

const brokers = new Map<string, ReturnType<typeof memory>>();

/** One broker for each place: whoever asks for the same place means the same. */
function brokerOf({ directory }: FaultPlace): ReturnType<typeof memory> {
  const broker = brokers.get(directory) ?? memory();
  brokers.set(directory, broker);
  return broker;
}

testFaults({
  name: "memory",
  configure: (place) => ({ broker: brokerOf(place) }),
  insertRaw: async (place, queue, bytes) => brokerOf(place).insertRaw(queue, bytes),
  cannot: { processes: "one process holds it all" },
});
