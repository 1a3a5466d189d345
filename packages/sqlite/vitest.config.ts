import { packageTests } from "../../vitest.base.ts";

// The suites mostly wait for time to pass.
export default packageTests({ maxWorkers: 3 });
