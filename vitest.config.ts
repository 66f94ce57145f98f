import { defineConfig } from "vitest/config";

/** Tests that judge times or loads of real processes: one at a time, with nothing else on the machine. */
const timed = [
  "test/e2e/{environment,guards,heal,healthy}.test.ts",
  "test/gateway/kill.test.ts",
  "test/security/{flood,slow-clients}.test.ts",
];

/** What starts real servers. */
const servers = { globalSetup: ["test/setup/global.ts"], testTimeout: 240_000, hookTimeout: 120_000 };

// Three parts, one after the other: what is pure or fast beside the code, in parallel; what starts real servers and
// mostly waits for them, a few files at a time; what judges times, one file at a time.
export default defineConfig({
  test: {
    reporters: ["default", "./test/setup/closing-line.ts"],
    projects: [
      { test: { name: "unit", include: ["src/**/*.test.ts", "bench/**/*.test.ts"], testTimeout: 30_000 } },
      {
        test: {
          name: "system",
          ...servers,
          include: ["test/**/*.test.ts"],
          exclude: timed,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: { name: "timed", ...servers, include: timed, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
    coverage: { provider: "v8", include: ["src/**/*.ts"], exclude: ["**/*.test.ts"] },
  },
});
