export { run } from "./main.ts";
export type { OutputStream, Terminal } from "./terminal.ts";
