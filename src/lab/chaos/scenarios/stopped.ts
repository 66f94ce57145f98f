import { cpSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../../../../test/setup/ports.ts";
import { standStill } from "../../../../test/setup/stand-still.ts";
import { startFaultProxy } from "../fault-proxy.ts";
import { onStage } from "../lane.ts";
import type { Scenario } from "../types.ts";

const PAUSE_MS = 30_000;
const BRIEF_PAUSE_MS = 8000;
const ARRIVAL_MS = 4000;

/** The process is frozen for half a minute and goes on: as if nothing had been, and nothing twice. */
export const stopped: Scenario = (options) =>
  onStage(options, async (stage) => {
    const lane = stage.lane({
      name: "stopped",
      service: await stage.service(),
      sources: { order: ["scrape"] },
    });
    await lane.start();
    await lane.moreEffects(2);
    const pauseMs = options.brief === true ? BRIEF_PAUSE_MS : PAUSE_MS;
    await standStill(lane.monitor().pid);
    // Calls to all targets may have been on their way when it was stopped: they still arrive.
    await sleep(ARRIVAL_MS);
    const before = lane.effects().length;
    await sleep(pauseMs - ARRIVAL_MS);
    const meanwhile = lane.effects().length - before;
    lane.monitor().signal("SIGCONT");
    await lane.moreEffects(2);
    const violations = meanwhile > 0 ? [`${meanwhile} effects while it was stopped`] : [];
    return stage.conclude(`SIGSTOP ${pauseMs / 1000} s, SIGCONT`, { times: 1, violations });
  });

/**
 * A monitor is frozen with its calls on the way; another takes over from a copy of its journal. The late calls arrive, the
 * first one wakes up and goes on: none of it may have an effect.
 */
export const overtaken: Scenario = (options) =>
  onStage(options, async (stage) => {
    const service = await stage.service();
    const proxy = await startFaultProxy(service.url, stage.world.onEnd);
    const common = { name: "fenced", service, adminUrl: proxy.url, sources: { order: ["scrape"] } };
    const first = stage.lane({ ...common, judged: false });
    await first.start();
    await first.moreEffects(2);
    proxy.set("hold");
    await waitFor(() => proxy.held() > 0, { what: "a call on its way", timeoutMs: 60_000, everyMs: 5 });
    await standStill(first.monitor().pid);
    const late = proxy.held();
    const dataDir = join(stage.world.dir, "taken-over");
    cpSync(first.dataDir, dataDir, { recursive: true });
    proxy.keepHeld();
    const second = stage.lane({ ...common, dataDir });
    await second.start();
    await second.moreEffects(3);
    const epoch = Math.max(...second.effects().map((line) => Number(line.epoch)));
    const answers = await proxy.release();
    const from = second.effects().length;
    first.monitor().signal("SIGCONT");
    const refused = await first
      .monitor()
      .line("mitigation refused", { timeoutMs: 60_000 })
      .catch(() => undefined);
    await second.moreEffects(2);
    const old = second
      .effects()
      .slice(from)
      .filter((line) => Number(line.epoch) < epoch);
    await first.kill();
    const violations = [
      ...(refused === undefined ? ["the overtaken monitor was never told that it is"] : []),
      ...old.map((line) => `an effect of epoch ${line.epoch} after epoch ${epoch} had taken over`),
      // 200 only for a key whose effect the new monitor has brought about: it is answered, not repeated.
      ...answers
        .filter((line) => !/ (?:200|409) /.test(`${line} `))
        .map((line) => `a late call was answered ${line}`),
    ];
    options.onProgress(`overtaken: ${late} late calls, answered ${[...new Set(answers)].join(", ")}`);
    return stage.conclude("frozen and overtaken", { times: late, violations });
  });
