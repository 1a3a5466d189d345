// The program of a thread or process that runs handlers, while developing, when this package runs from its sources.
import { register } from "tsx/esm/api";

register();
await import("./src/worker/isolate/main.ts");
