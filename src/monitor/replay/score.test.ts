import { describe, expect, test } from "vitest";
import { readLabels } from "./input/labels.ts";
import { historyOf } from "./replay.testkit.ts";
import { score } from "./score.ts";

const day = (fromS = 0): [number, number][] => Array.from({ length: 2881 }, (_, i) => [fromS + 30 * i, 1]);
const act = (target: string, atS: number, signal = "p95_latency") => ({ target, signal, atMs: atS * 1000 });
const labelled = (rows: string) => readLabels(`target,signal,onset,breach\n${rows}`, "labels.csv");

describe("score", () => {
  const history = historyOf([
    { target: "early", samples: day() },
    { target: "edge", samples: day() },
    { target: "late", samples: day() },
    { target: "missed", samples: day() },
    { target: "healthy", samples: day() },
    { target: "bare", samples: day() },
    { target: "early", signal: "memory", samples: day() },
  ]);
  const labels = labelled(
    "early,p95_latency,43200,50000\nedge,p95_latency,43200,43300\nlate,p95_latency,43200,50000\nmissed,p95_latency,43200,50000\nhealthy,p95_latency,,\nearly,memory,,\n",
  );
  const actions = [
    act("early", 100),
    act("early", 49_000),
    act("early", 49_900),
    act("edge", 43_200),
    act("late", 50_000),
    act("healthy", 10),
    act("healthy", 80_000),
    act("bare", 5),
    act("early", 7, "memory"),
  ];

  test("from the onset on and before the breach is detected, at the breach or later late, before the onset false", () => {
    const [latency, memory, all] = score({ history, actions, labels, silenceMs: 300_000 });
    expect(latency).toMatchObject({ signal: "p95_latency", series: 6, actions: 8 });
    expect(latency?.judged).toEqual({
      series: 5,
      incidents: 4,
      detected: 2,
      late: 1,
      leadMeanS: (1000 + 100 + 0) / 3,
      leadMedianS: 100,
      falseActions: 3,
      healthyDays: 3,
      falsePerDay: 1,
    });
    expect(memory?.judged).toMatchObject({
      incidents: 0,
      falseActions: 1,
      healthyDays: 1,
      leadMeanS: undefined,
    });
    expect(all?.judged).toMatchObject({ series: 6, incidents: 4, falseActions: 4, healthyDays: 4 });
  });

  test("several incidents of a series are judged one by one", () => {
    const [row] = score({
      history: historyOf([{ target: "a", samples: day() }]),
      actions: [act("a", 150), act("a", 450), act("a", 900)],
      labels: labelled("a,p95_latency,100,200\na,p95_latency,300,400\na,p95_latency,500,800\n"),
      silenceMs: 300_000,
    });
    expect(row?.judged).toMatchObject({
      incidents: 3,
      detected: 1,
      late: 2,
      falseActions: 0,
      leadMeanS: (50 - 50 - 100) / 3,
    });
  });

  test("without labels it counts", () => {
    const rows = score({ history, actions, labels: undefined, silenceMs: 300_000 });
    expect(rows.map((r) => [r.signal, r.series, r.actions, r.judged])).toEqual([
      ["p95_latency", 6, 8, undefined],
      ["memory", 1, 1, undefined],
      ["all", 7, 9, undefined],
    ]);
  });
});
