export type { MsgpackOptions } from "./msgpack.ts";
export { msgpackSerializer } from "./msgpack.ts";
