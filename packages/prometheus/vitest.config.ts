import { packageTests, workspaceConditions } from "../../vitest.base.ts";

const config = packageTests();
// prom-client needs @opentelemetry/api, whose modules that `module` leads to are for bundlers, and none for Node.js.
const conditions = [...workspaceConditions, "node", "development|production"];

export default { ...config, resolve: { conditions }, ssr: { resolve: { conditions, externalConditions: conditions } } };
