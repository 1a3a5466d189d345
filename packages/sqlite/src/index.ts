export type { SqliteOptions } from "./options.ts";
export { schemes } from "./schemes.ts";
export { sqlite, sqliteResults, sqliteState } from "./sqlite.ts";
