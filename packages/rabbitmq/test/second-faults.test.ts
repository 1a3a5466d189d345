import { testHalfOfFaults } from "./fixtures/fault-halves.ts";

testHalfOfFaults(2);
