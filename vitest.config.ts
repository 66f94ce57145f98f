import { defineConfig } from "vitest/config";
import { LEAST_BRANCHES } from "./test/setup/branch-coverage.ts";
import LongestFirst from "./test/setup/longest-first.ts";

/** Tests that judge times of real processes, and mostly wait for them. */
const timed = [
  "test/e2e/{environment,guards,heal,healthy}.test.ts",
  "test/gateway/kill.test.ts",
  "test/security/slow-clients.test.ts",
];
/** Tests that only reckon, for a long time. */
const cpuBound = ["test/alerting/rule-tests.test.ts", "test/fuzz/*.test.ts", "test/replay/*.test.ts"];
/** Reckons longest of all, in the time that the others leave: they wait for processes and disks a fifth of theirs. */
const simulated = ["src/lab/simulate/**/*.test.ts"];
/** Tests beside the laboratory's code that start real servers. */
const served = ["src/lab/chaos/**/*.test.ts"];
/** Tests that need the whole machine: a flood, and drills at sixty times their speed. */
const alone = ["test/security/flood.test.ts", "test/drill/drill.test.ts"];

/** What starts real servers. */
const servers = { globalSetup: ["test/setup/global.ts"], testTimeout: 240_000, hookTimeout: 120_000 };

/** A few at a time: two that wait, and two that reckon at a lower priority in the time that those leave. */
const MIXED = { maxWorkers: 4, sequence: { groupOrder: 1 } };
/** Three of them beside the simulation. */
const LOADED = { maxWorkers: 4, sequence: { groupOrder: 2 } };

// Parts, one after the other: what judges times together with what only reckons; what starts real servers, and the
// simulation; what needs the machine for itself.
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ["default", "./test/setup/branch-coverage.ts", "./test/setup/closing-line.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts"],
          exclude: [...simulated, ...served],
          testTimeout: 120_000,
          setupFiles: ["test/setup/step-back.ts"],
          ...MIXED,
        },
      },
      {
        test: {
          name: "cpu-bound",
          ...servers,
          include: cpuBound,
          setupFiles: ["test/setup/step-back.ts"],
          ...MIXED,
        },
      },
      { test: { name: "timed", ...servers, include: timed, ...MIXED } },
      {
        test: {
          name: "system",
          ...servers,
          include: ["test/**/*.test.ts", ...served],
          exclude: [...timed, ...cpuBound, ...simulated, ...alone],
          ...LOADED,
        },
      },
      {
        test: {
          name: "simulated",
          ...servers,
          include: simulated,
          testTimeout: 600_000,
          setupFiles: ["test/setup/step-back.ts"],
          ...LOADED,
        },
      },
      { test: { name: "alone", ...servers, include: alone, maxWorkers: 1, sequence: { groupOrder: 3 } } },
    ],
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["**/*.test.ts", "**/*.testkit.ts", "**/testbed.ts"],
      thresholds: Object.fromEntries(
        Object.entries(LEAST_BRANCHES).map(([folder, branches]) => [`${folder}/**`, { branches }]),
      ),
    },
  },
});
