import { describe, expect, test } from "vitest";
import { historyOf, signalNamed, targetNamed } from "./replay.testkit.ts";
import { inferTargets } from "./targets.ts";

describe("inferTargets", () => {
  const own = { ...signalNamed("p95_latency"), thresholds: { slo: 50, exit: 40, limit: 90 } };
  const configured = [
    {
      ...targetNamed("known", ["p95_latency", "memory"]),
      signals: [own, signalNamed("memory")],
      cooldownMs: 7,
      autoHeal: false,
    },
    targetNamed("absent"),
  ];
  const common = { signals: [signalNamed("p95_latency"), signalNamed("memory")], cooldownMs: 99 };

  test("named targets keep their own settings, others get the common ones, each with the signals that are there", () => {
    const history = historyOf([
      { target: "stranger", signal: "memory", samples: [[1, 1]] },
      { target: "known", samples: [[1, 1]] },
      { target: "stranger", signal: "backlog", samples: [[1, 1]] },
      { target: "only-off", signal: "backlog", samples: [[1, 1]] },
    ]);
    const cast = inferTargets({ history, configured, common });
    expect(cast.targets.map((t) => [t.name, t.cooldownMs, t.autoHeal, t.signals.map((s) => s.name)])).toEqual(
      [
        ["stranger", 99, true, ["memory"]],
        ["known", 7, true, ["p95_latency"]],
      ],
    );
    expect(cast.targets[1]?.signals[0]?.thresholds.slo).toBe(50);
    expect(cast.left).toEqual(["stranger/backlog", "only-off/backlog"]);
    expect(cast.history.series.map((s) => `${s.target}/${s.signal}`)).toEqual([
      "stranger/memory",
      "known/p95_latency",
    ]);
  });
});
