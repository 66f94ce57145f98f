import { createHash } from "node:crypto";
import type { ClockRule } from "./rules.ts";
import { keyOf, type Scrapes } from "./series.ts";

/** An alert that fires, or that has just ended. Times are those of the wall clock, ISO-8601. */
export interface ClockAlert {
  readonly status: "firing" | "resolved";
  readonly labels: Readonly<Record<string, string>>;
  readonly startsAt: string;
  /** Alertmanager's "not yet" for one that fires. */
  readonly endsAt: string;
  readonly fingerprint: string;
}

const NOT_YET = "0001-01-01T00:00:00Z";

interface Episode {
  readonly labels: Readonly<Record<string, string>>;
  readonly pendingSinceMs: number;
  lastTrueMs: number;
  startsAt: string | undefined;
}

/** Follows the alerts of some rules from pending to firing to resolved, as Prometheus does. */
export interface Episodes {
  /** One evaluation. Answers what fires now, and what has ended with it. */
  evaluate(now: { readonly monoMs: number; readonly wallMs: number }): readonly ClockAlert[];
}

export function createEpisodes(rules: readonly ClockRule[], scrapes: Scrapes): Episodes {
  const episodes = new Map<string, Episode>();
  return {
    evaluate({ monoMs, wallMs }) {
      const wall = new Date(wallMs).toISOString();
      const alerts: ClockAlert[] = [];
      for (const rule of rules) {
        const present = new Map(
          rule.evaluate(scrapes, monoMs).map((element) => {
            const labels = { ...element.labels, ...rule.labels, alertname: rule.alert };
            return [keyOf(labels), labels];
          }),
        );
        for (const [key, labels] of present) {
          const known = episodes.get(key) ?? {
            labels,
            pendingSinceMs: monoMs,
            lastTrueMs: monoMs,
            startsAt: undefined,
          };
          known.lastTrueMs = monoMs;
          if (monoMs - known.pendingSinceMs >= rule.forMs) known.startsAt ??= wall;
          episodes.set(key, known);
        }
        for (const [key, episode] of episodes) {
          if (episode.labels.alertname !== rule.alert) continue;
          const over =
            !present.has(key) &&
            (episode.startsAt === undefined || monoMs - episode.lastTrueMs >= rule.keepFiringMs);
          if (over) episodes.delete(key);
          if (episode.startsAt === undefined) continue;
          alerts.push({
            status: over ? "resolved" : "firing",
            labels: episode.labels,
            startsAt: episode.startsAt,
            endsAt: over ? wall : NOT_YET,
            fingerprint: createHash("sha256").update(key).digest("hex").slice(0, 16),
          });
        }
      }
      return alerts;
    },
  };
}
