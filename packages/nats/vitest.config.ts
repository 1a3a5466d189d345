import { packageTests } from "../../vitest.base.ts";

// Two rules of the fault suite do not hold in every run here (see the README): `npm run soak` runs it, `npm test` does not.
const isSoak = process.env["TASKFERRY_SOAK"] === "1";

export default packageTests(isSoak ? {} : { exclude: ["test/faults.test.ts"] });
