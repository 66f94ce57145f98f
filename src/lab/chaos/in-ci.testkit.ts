import { expect, type TestContext } from "vitest";
import { requireServer } from "../../../test/setup/require-server.ts";
import { seededRandom } from "../../services/kit/random.ts";
import { run } from "./run.ts";

/** Kills in every test run; `npm run chaos -- --kills 1000` is the long campaign. */
const KILLS = 100;

/** Plays one scenario in its short form and holds it to its promises. */
export async function keepsItsPromises(only: string, context: TestContext): Promise<void> {
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
  const { times, effects, recovery } = summary ?? {};
  process.stdout.write(
    `figure chaos ${only}: ${times} times, ${effects} effects${recovery === undefined ? "" : `, recovery ${(recovery.medianMs / 1000).toFixed(1)} s, longest ${(recovery.longestMs / 1000).toFixed(1)} s`}\n`,
  );
  expect(summary?.violations).toEqual([]);
  expect(summary).toMatchObject({ duplicateEffects: 0, lostRecords: 0 });
  expect(effects).toBeGreaterThan(0);
}
