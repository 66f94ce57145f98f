import { NO_SETTINGS } from "../../../common/settings/fields.ts";
import { cooldownLeftMs } from "../../kernel/cooldown.ts";
import type { Instant } from "../../kernel/time.ts";
import type { Guard, Party, TargetMemory } from "../guard.ts";

/** Time left of a target's cooldown, milliseconds. An imagined action waits for imagined ones too. */
export function targetCooldownMs(party: Party, memory: TargetMemory, shadow: boolean, now: Instant): number {
  const real = cooldownLeftMs(memory.lastActionMonoMs, party.cooldownMs, now);
  return shadow ? Math.max(real, cooldownLeftMs(memory.lastShadowMonoMs, party.cooldownMs, now)) : real;
}

/** At most one action of a target per cooldown: of the one that asks, and of everything that is called. */
export const cooldown: Guard = {
  kind: "cooldown_active",
  looksAt: ["asker", "callee"],
  asked: "run",
  docs: { summary: "the target is in cooldown" },
  settings: NO_SETTINGS,
  metrics: [],
  check(party, { shadow }, { memory, now }) {
    const leftMs = targetCooldownMs(party, memory(party.name), shadow, now);
    if (leftMs <= 0) return undefined;
    return { untilMs: now.wallMs + leftMs, detail: `in cooldown, ${Math.ceil(leftMs / 1000)} s left` };
  },
};
