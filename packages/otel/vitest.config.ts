import { packageTests } from "../../vitest.base.ts";

const config = packageTests();
// Handlers in TypeScript run in threads only where the core runs from its sources, too.
// The modules of @opentelemetry that `module` leads to are for bundlers, and none for Node.js.
const conditions = ["@taskferry/source", "node", "development|production"];

export default { ...config, resolve: { conditions }, ssr: { resolve: { conditions, externalConditions: conditions } } };
