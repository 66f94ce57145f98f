import { z } from "zod";
import { number, seconds, setting } from "../../../common/settings/fields.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import { unhelpfulInARow } from "../../kernel/attempts.ts";
import { formatDuration } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { Attempt } from "../../kernel/verification.ts";
import type { Finding, Guard } from "../guard.ts";

const settings = z
  .strictObject({
    factor: setting(
      number({ min: 1, max: 10, unit: "a factor" }).default(2),
      "the cooldown is multiplied by this for each action that did not help",
    ),
    max_seconds: setting(seconds(0, 86_400).default(3600), "longest pause after actions that did not help"),
  })
  .prefault({});

type BackoffSettings = Internal<typeof settings>;

/** Longest exponent: beyond it every factor has reached its cap. */
const MAX_EXPONENT = 30;

/**
 * Longer and longer pauses between actions that do not help: the cooldown times `factor` for each of them in a row,
 * at most `maxMs`, and never less than the cooldown itself. One that helped ends the row; an inconclusive one neither
 * ends nor lengthens it.
 * @param attempts of this target, oldest first.
 * @internal for its tests
 */
export function backoffFinding(input: {
  attempts: readonly Attempt[];
  cooldownMs: number;
  settings: BackoffSettings;
  now: Instant;
}): Finding | undefined {
  const { attempts, cooldownMs, settings, now } = input;
  const row = unhelpfulInARow(attempts);
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

export const backoff = {
  kind: "backoff_active",
  looksAt: ["asker", "callee"],
  asked: "run",
  docs: { summary: "the last actions did not help, so the cooldown is longer" },
  section: "backoff",
  settings,
  metrics: [],
  check: ({ name, cooldownMs }, _, { past, now }, settings) =>
    backoffFinding({ attempts: past(name)?.attempts ?? [], cooldownMs, settings, now }),
} as const satisfies Guard<BackoffSettings>;
