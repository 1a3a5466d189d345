import { compressed, jsonSerializer } from "@taskferry/core";
import { testSerializer } from "../src/index.ts";

testSerializer({
  name: "json",
  create: () => jsonSerializer(),
  kinds: ["undefined", "date", "map", "set", "bigint", "bytes", "error", "nonFinite", "negativeZero"],
});

testSerializer({ name: "json, of 500 levels", create: () => jsonSerializer({ maxDepth: 500 }) });

testSerializer({
  name: "json, compressed",
  create: () => compressed(jsonSerializer(), { above: 10 }),
  kinds: ["undefined", "date", "map", "set", "bigint", "bytes", "error", "nonFinite", "negativeZero"],
});
