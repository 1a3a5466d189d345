import { packageTests } from "../../vitest.base.ts";

export default packageTests({
  typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], tsconfig: "./tsconfig.json" },
});
