import cron from "node-cron";

export interface Scheduler {
  /** Cycles that were due and did not start: another was still running, or the process was held up past them. */
  missed(): number;
  setCycle(cycleMs: number): void;
  /** No further cycle starts; resolves once the one under way has ended or `waitMs` are over. */
  stop(waitMs: number): Promise<"idle" | "still running">;
}

/** What calls back about every second, until it is destroyed. */
export type Beats = (beat: () => void) => { destroy(): unknown };

/** On node-cron's seconds. Beats it missed are counted below; its own warnings are no log lines. */
const cronBeats: Beats = (beat) =>
  cron.schedule("* * * * * *", beat, { name: "cycle", suppressMissedWarning: true });

/** A beat may come this much early and still count as the next second, milliseconds. */
const SLACK_MS = 500;

/**
 * Calls `run` every `cycleMs`, never twice at once. The timer is node-cron's second beat, so any whole number of
 * seconds is possible; which beat is due is decided on monotonic time, so that a jump of the wall clock neither
 * skips nor bunches cycles.
 */
export function startScheduler(options: {
  cycleMs: number;
  monoMs: () => number;
  run: () => Promise<void>;
  onMissed: () => void;
  onError: (error: unknown) => void;
  /** Default: node-cron. */
  beats?: Beats;
}): Scheduler {
  let { cycleMs } = options;
  let dueMs = options.monoMs();
  let missed = 0;
  let running: Promise<void> | undefined;

  function beat(): void {
    const now = options.monoMs();
    if (now < dueMs - SLACK_MS) return;
    const late = Math.max(0, Math.floor((now - dueMs) / cycleMs));
    dueMs += cycleMs * (1 + late);
    for (let n = running === undefined ? late : late + 1; n > 0; n--) {
      missed += 1;
      options.onMissed();
    }
    if (running !== undefined) return;
    running = options
      .run()
      .catch(options.onError)
      .finally(() => {
        running = undefined;
      });
  }

  const task = (options.beats ?? cronBeats)(beat);
  beat();
  return {
    missed: () => missed,
    setCycle(next) {
      if (next === cycleMs) return;
      cycleMs = next;
      dueMs = Math.min(dueMs, options.monoMs() + next);
    },
    async stop(waitMs) {
      await task.destroy();
      if (running === undefined) return "idle";
      const timeout = new Promise<"late">((resolve) => setTimeout(resolve, waitMs, "late").unref());
      return (await Promise.race([running, timeout])) === "late" ? "still running" : "idle";
    },
  };
}
