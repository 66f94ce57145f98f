import { defineConfig } from "vitest/config";
import { LEAST_BRANCHES } from "./test/setup/branch-coverage.ts";
import LongestFirst from "./test/setup/longest-first.ts";

/** Tests that judge times of real processes: few at a time, after those that load the machine. */
const timed = [
  "test/drill/drill.test.ts",
  "test/e2e/{environment,guards,heal,healthy}.test.ts",
  "test/gateway/kill.test.ts",
  "test/security/slow-clients.test.ts",
];
/** A test that takes the whole machine. */
const alone = ["test/security/flood.test.ts"];
/** Takes what processor time the others leave, from the beginning on; its test asks for the result at the end. */
const campaign = ["test/simulate/campaign.test.ts"];

/** What starts real servers. */
const servers = { globalSetup: ["test/setup/global.ts"], testTimeout: 240_000, hookTimeout: 120_000 };

// Parts, one after the other: what is pure or fast, beside the code; what starts real servers and mostly waits for them;
// what judges times; what needs the machine for itself.
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ["default", "./test/setup/branch-coverage.ts", "./test/setup/closing-line.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "bench/**/*.test.ts"],
          testTimeout: 30_000,
          maxWorkers: "100%",
        },
      },
      {
        test: {
          name: "system",
          ...servers,
          include: ["test/**/*.test.ts"],
          exclude: [...timed, ...alone, ...campaign],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      { test: { name: "timed", ...servers, include: timed, maxWorkers: 2, sequence: { groupOrder: 2 } } },
      { test: { name: "alone", ...servers, include: alone, maxWorkers: 1, sequence: { groupOrder: 3 } } },
      {
        test: {
          name: "campaign",
          globalSetup: ["test/simulate/campaign.ts"],
          testTimeout: 900_000,
          include: campaign,
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
        },
      },
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["**/*.test.ts", "**/testbed.ts"],
      thresholds: Object.fromEntries(
        Object.entries(LEAST_BRANCHES).map(([folder, branches]) => [`${folder}/**`, { branches }]),
      ),
    },
  },
});
