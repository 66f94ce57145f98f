import { globSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../../../../test/setup/ports.ts";
import { onStage } from "../lane.ts";
import type { Scenario } from "../types.ts";

const JUMPS = ["+1d", "+0", "-1d", "+0", "+1h", "-1h"] as const;
const TOLERANCE_MS = 600_000;
const PATIENCE_MS = 30_000;

/** The wall clock jumps by a day while it runs: cooldowns are on the monotonic clock, and nothing is done early or never. */
export const clock: Scenario = (options) =>
  onStage(options, async (stage) => {
    const [library] = globSync("/usr/lib/*/faketime/libfaketimeMT.so.1");
    if (library === undefined) throw new Error("libfaketime is missing: apt-get install faketime");
    const file = join(stage.world.dir, "clock");
    writeFileSync(file, "+0\n");
    const lane = stage.lane({
      name: "clock",
      service: await stage.service(),
      sources: { order: ["scrape"] },
      env: {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
        DONT_FAKE_MONOTONIC: "1",
      },
    });
    await lane.start();
    await lane.moreEffects(2);
    const violations: string[] = [];
    const jumps = options.brief === true ? JUMPS.slice(0, 3) : JUMPS;
    for (const jump of jumps) {
      writeFileSync(file, `${jump}\n`);
      const expectedMs =
        jump === "+0" ? 0 : Number(jump.slice(0, -1)) * (jump.endsWith("d") ? 86_400_000 : 3_600_000);
      const aheadMs = () => Date.parse(String(lane.cycles().at(-1)?.ts)) - Date.now();
      const jumped = () => Math.abs(aheadMs() - expectedMs) <= TOLERANCE_MS;
      await waitFor(jumped, { what: "a cycle after the jump", timeoutMs: PATIENCE_MS }).catch(() =>
        violations.push(`the clock did not jump: it is ${aheadMs()} ms ahead after ${jump}`),
      );
      await lane.moreEffects(4);
      options.onProgress(`clock: ${jump}`);
    }
    return stage.conclude("wall clock jumps", { times: jumps.length, violations });
  });
