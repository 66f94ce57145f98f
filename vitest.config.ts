import { defineConfig } from "vitest/config";

// Two parts: what is pure or fast beside the code, in parallel; then what starts real servers, one file at a time,
// so that timings are judged on a machine that is not busy with something else.
export default defineConfig({
  test: {
    reporters: ["default", "./test/setup/closing-line.ts"],
    projects: [
      { test: { name: "unit", include: ["src/**/*.test.ts", "bench/**/*.test.ts"], testTimeout: 30_000 } },
      {
        test: {
          name: "system",
          include: ["test/**/*.test.ts"],
          globalSetup: ["test/setup/global.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 240_000,
          hookTimeout: 60_000,
        },
      },
    ],
    coverage: { provider: "v8", include: ["src/**/*.ts"], exclude: ["**/*.test.ts"] },
  },
});
