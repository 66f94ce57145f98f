import { setTimeout as sleep } from "node:timers/promises";
import { onStage } from "../lane.ts";
import { inject } from "../strace.ts";
import type { Scenario } from "../types.ts";

const ERRORS = ["ENOSPC", "EIO"] as const;
const CALLS = "pwrite64,fsync,fdatasync";
/** What was under way when the disk failed may still end, milliseconds. */
const UNDER_WAY_MS = 3000;
const FAILING_MS = 6000;

/** The journal's disk is full, or broken, for a while: what cannot be written down must not be done. */
export const disk: Scenario = (options) =>
  onStage(options, async (stage) => {
    const lane = stage.lane({ name: "disk", service: await stage.service(), sources: { order: ["scrape"] } });
    await lane.start();
    const violations: string[] = [];
    for (const error of ERRORS) {
      await lane.moreEffects(2);
      const tracer = await inject(lane.monitor().pid, { calls: CALLS, what: `error=${error}` });
      await sleep(UNDER_WAY_MS);
      const before = lane.effects().length;
      const noticed = lane.monitor().all("journal unavailable").length;
      await sleep(FAILING_MS);
      const acted = lane.effects().length - before;
      if (acted > 0) violations.push(`${error}: ${acted} effects while nothing could be written down`);
      if (lane.monitor().all("journal unavailable").length === noticed)
        violations.push(`${error}: nobody was told that the journal is unavailable`);
      await tracer.detach();
      if (!lane.monitor().running()) violations.push(`${error}: the monitor ended`);
      options.onProgress(`disk: ${error}`);
    }
    await lane.moreEffects(2);
    return stage.conclude("ENOSPC and EIO on the journal", { times: ERRORS.length, violations });
  });
