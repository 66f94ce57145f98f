import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/services/kit/random.ts";
import { requireServer } from "../setup/require-server.ts";
import { run, SCENARIOS } from "./run.ts";

/** `npm run chaos -- --kills 1000` is the whole of it; docs/chaos.md has the figures. */
const KILLS = 30;

describe("crashes and faults against real processes", () => {
  test.for(Object.keys(SCENARIOS))("%s", { timeout: 900_000 }, async (only, context) => {
    for (const name of ["strace", "faketime"] as const) requireServer(name, context);
    const [summary] = await run({
      only,
      options: {
        kills: KILLS,
        brief: true,
        prometheus: requireServer("prometheus", context),
        random: seededRandom(Date.now() % 1_000_000),
        onProgress: () => {},
      },
    });
    expect(summary?.violations).toEqual([]);
    expect(summary).toMatchObject({ duplicateEffects: 0, lostRecords: 0 });
    expect(summary?.effects).toBeGreaterThan(0);
  });
});
