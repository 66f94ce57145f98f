import type { BackoffSettings } from "../../kernel/guards.ts";
import { formatDuration } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import { unhelpfulInARow } from "../../kernel/tries.ts";
import type { Try } from "../../kernel/verification.ts";
import type { Finding, Guard } from "../guard.ts";

/** Longest exponent: beyond it every factor has reached its cap. */
const MAX_EXPONENT = 30;

/**
 * Longer and longer pauses between actions that do not help: the cooldown times `factor` for each of them in a row,
 * at most `maxMs`, and never less than the cooldown itself. One that helped ends the row; an inconclusive one neither
 * ends nor lengthens it.
 * @param tries of this target, oldest first.
 */
export function backoffFinding(input: {
  tries: readonly Try[];
  cooldownMs: number;
  settings: BackoffSettings;
  now: Instant;
}): Finding | undefined {
  const { tries, cooldownMs, settings, now } = input;
  const row = unhelpfulInARow(tries);
  const last = row.at(-1);
  if (last === undefined) return undefined;
  const grown = cooldownMs * settings.factor ** Math.min(row.length, MAX_EXPONENT);
  const pauseMs = Math.max(cooldownMs, Math.min(settings.maxMs, grown));
  const leftMs = last.at.monoMs + pauseMs - now.monoMs;
  if (leftMs <= 0) return undefined;
  const many = row.length === 1 ? "the last action" : `the last ${row.length} actions`;
  return {
    untilMs: now.wallMs + leftMs,
    detail: `${many} did not help, so the pause is ${formatDuration(pauseMs)} instead of ${formatDuration(cooldownMs)}`,
  };
}

export const backoff: Guard = {
  name: "backoff_active",
  looksAt: ["asker", "callee"],
  asked: "run",
  docs: "the last actions did not help, so the cooldown is longer",
  check: ({ name, cooldownMs }, _, { past, settings, now }) =>
    backoffFinding({ tries: past(name)?.tries ?? [], cooldownMs, settings: settings.backoff, now }),
};
