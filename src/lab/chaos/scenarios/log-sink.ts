import { onStage } from "../lane.ts";
import type { Scenario } from "../types.ts";

/** Where the log goes is gone: a reader that has closed its end, and a full disk. Healing goes on. */
export const logSink: Scenario = (options) =>
  onStage(options, async (stage) => {
    const violations: string[] = [];
    const service = await stage.service();
    const lane = stage.lane({
      name: "mute",
      service,
      sources: { order: ["scrape"] },
      env: { LOG_FILE: "/dev/full" },
    });
    await lane.start();
    await lane.moreEffects(3);
    options.onProgress("log sink: full disk");
    lane.monitor().closeStdout();
    await lane.moreEffects(3);
    if (!lane.monitor().running()) violations.push("it ended with its standard output");
    const page = await (await fetch(`${lane.url()}/metrics`)).text();
    const dropped = Number(/^log_lines_dropped_total (\d+)/m.exec(page)?.[1]);
    if (!(dropped > 0)) violations.push(`lines that could not be written were not counted: ${dropped}`);
    options.onProgress(`log sink: closed pipe, ${dropped} lines counted as dropped`);
    return stage.conclude("log sink gone", { times: 2, violations });
  });
