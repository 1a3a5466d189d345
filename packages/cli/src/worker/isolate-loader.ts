import { createModuleLoader } from "../module-loader.ts";

/** How threads and processes that run handlers load modules: as the command itself does. */
export const loadModule = createModuleLoader();
