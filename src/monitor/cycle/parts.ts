import type { MetricSource, PartsObservation } from "../kernel/observation.ts";
import type { Target } from "../kernel/target.ts";
import type { Instant } from "../kernel/time.ts";
import { createRegionHistory, observeParts } from "../playbooks/regions/index.ts";
import type { LoopState } from "./state.ts";
import { within } from "./within.ts";

/** Reads the parts of every target that has some, from the first source that knows them, and keeps them as its past. */
export async function readParts(input: {
  readonly state: LoopState;
  readonly sources: readonly MetricSource[];
  readonly now: Instant;
  readonly deadline: AbortSignal;
  readonly giveUp: AbortSignal;
}): Promise<void> {
  const { state, now } = input;
  const targets = state.partitionedTargets;
  if (targets.length === 0) return;
  const heard = await Promise.all(input.sources.map((source) => ask(source, { ...input, targets })));
  targets.forEach((target, index) => {
    const usable = heard.map((all) => all?.[index]).find((o) => o?.status === "ok");
    if (usable === undefined) return;
    const history = state.regions.get(target.name) ?? createRegionHistory();
    history.windowS = state.settings.regionWindowS;
    state.regions.set(target.name, history);
    observeParts(history, usable, now);
  });
}

/** What one source says, or undefined when it knows of no parts or gives no answer. */
async function ask(
  source: MetricSource,
  asked: {
    readonly targets: readonly Target[];
    readonly now: Instant;
    readonly deadline: AbortSignal;
    readonly giveUp: AbortSignal;
  },
): Promise<readonly PartsObservation[] | undefined> {
  const { targets, now, deadline } = asked;
  if (source.parts === undefined) return undefined;
  try {
    return await within(source.parts({ targets, now, signal: deadline }), asked.giveUp);
  } catch {
    return undefined;
  }
}
