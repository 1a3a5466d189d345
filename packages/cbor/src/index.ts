export type { CborOptions } from "./cbor.ts";
export { cborSerializer } from "./cbor.ts";
