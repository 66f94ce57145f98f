import { defineConfig } from "vitest/config";
import { LEAST_BRANCHES } from "./test/setup/branch-coverage.ts";
import LongestFirst from "./test/setup/longest-first.ts";

/** Tests that only reckon: at a lower priority, in the time that those leave which wait for processes and disks. */
const cpuBound = [
  "src/lab/simulate/**/*.test.ts",
  "test/alerting/rule-tests.test.ts",
  "test/fuzz/*.test.ts",
  "test/replay/*.test.ts",
];
/** Tests beside the laboratory's code that start real servers. */
const served = ["src/lab/chaos/**/*.test.ts"];
/** Tests that need the whole machine: a flood, and drills at sixty times their speed. */
const alone = ["test/security/flood.test.ts", "test/drill/drill.test.ts"];

/** What starts real servers. */
const servers = { globalSetup: ["test/setup/global.ts"], testTimeout: 240_000, hookTimeout: 120_000 };
const steppedBack = { setupFiles: ["test/setup/step-back.ts"] };

/** Most wait most of the time: so many at once keep two cores busy. test/setup/longest-first.ts has the order. */
const together = { maxWorkers: 6, sequence: { groupOrder: 1 } };

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ["default", "./test/setup/branch-coverage.ts", "./test/setup/closing-line.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts"],
          exclude: [...cpuBound, ...served],
          testTimeout: 120_000,
          // They share a process: what each imports is loaded once.
          isolate: false,
          ...steppedBack,
          ...together,
        },
      },
      {
        test: {
          name: "cpu-bound",
          include: cpuBound,
          ...servers,
          testTimeout: 600_000,
          ...steppedBack,
          ...together,
        },
      },
      {
        test: {
          name: "system",
          include: ["test/**/*.test.ts", ...served],
          exclude: [...cpuBound, ...alone],
          ...servers,
          ...together,
        },
      },
      { test: { name: "alone", include: alone, ...servers, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["**/*.test.ts", "**/*.testkit.ts"],
      thresholds: Object.fromEntries(
        Object.entries(LEAST_BRANCHES).map(([folder, branches]) => [`${folder}/**`, { branches }]),
      ),
    },
  },
});
