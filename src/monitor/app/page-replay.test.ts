import { afterEach, describe, expect, it } from "vitest";
import { GUARDS, settingsOf, signalOf, targetOf, VERIFICATION } from "../cycle/cycle.testkit.ts";
import type { JournalEntry } from "../kernel/store.ts";
import { Rings } from "../report/page/rings.ts";
import { decisionOf, INTENT, outcomeOf } from "../report/report.testkit.ts";
import { p95Latency } from "../signals/p95-latency/index.ts";
import { createPageReplay, type PageReplay } from "./page-replay.ts";

const CYCLE_MS = 30_000;
const T0 = Date.UTC(2026, 0, 1);
let replay: PageReplay | undefined;
afterEach(() => replay?.close());

/** A latency that is calm for half an hour and then climbs by 4 ms a second, past its SLO of 300 ms. */
function climbing(cycles: number): Rings {
  const rings = new Rings();
  for (let i = 0; i < cycles; i++) {
    const current = 100 + 3 * Math.sin(i) + Math.max(0, i - 60) * 120;
    const observation = {
      status: "ok",
      source: "x",
      value: current,
      timestampMs: T0 + i * CYCLE_MS - 1000,
    } as const;
    const at = { wallMs: T0 + i * CYCLE_MS, monoMs: i * CYCLE_MS };
    rings.record(
      {
        at,
        decisions: [decisionOf({ current }), decisionOf({ target: "gone" })],
        observations: [observation, observation],
      },
      CYCLE_MS,
    );
  }
  return rings;
}

function openReplay(
  rings: Rings,
  over: { limitMs?: number; journal?: readonly JournalEntry[] } = {},
): PageReplay {
  const signals = [signalOf(p95Latency, { linear: true, trend: true })];
  const settings = settingsOf({
    targets: [targetOf("product-api", { signals })],
    guards: GUARDS,
    verification: VERIFICATION,
    autoHeal: false,
  });
  replay = createPageReplay({
    rings,
    settings: () => settings,
    maxSampleAgeMs: () => 90_000,
    journal: () => over.journal ?? [],
    ...(over.limitMs === undefined ? {} : { limitMs: over.limitMs }),
  });
  return replay;
}

describe("the recent past at other settings", () => {
  it("gives what each sensitivity would have done, beside what was", async () => {
    const intent = { ...INTENT, at: { wallMs: T0 + 70 * CYCLE_MS, monoMs: 0 } };
    const old = { ...INTENT, id: "old", at: { wallMs: T0 - 10_000, monoMs: 0 } };
    const journal = [
      { intent, outcome: outcomeOf("applied") },
      { intent: old, outcome: undefined },
    ];
    const found = await openReplay(climbing(90), { journal }).replay({
      settings: ["strict", "default", "eager"],
      spanMs: 7_200_000,
    });
    expect(found).toMatchObject({
      ...{ from: "2025-12-31T23:59:59.000Z", series: 1, samples: 90, sensitivity: "default" },
      done: [{ target: "product-api", outcome: "applied", trigger: "pre_timeout" }],
      replayed: [{ sensitivity: "strict" }, { sensitivity: "default" }, { sensitivity: "eager" }],
    });
    const { replayed } = found;
    for (const { sensitivity, actions } of replayed) {
      expect(actions.length, sensitivity).toBeGreaterThan(0);
      expect(Date.parse(actions[0]?.at ?? "")).toBeGreaterThan(T0 + 60 * CYCLE_MS);
      expect(new Set(actions.map((a) => a.target))).toEqual(new Set(["product-api"]));
    }
    const first = (sensitivity: string) =>
      Date.parse(replayed.find((r) => r.sensitivity === sensitivity)?.actions[0]?.at ?? "");
    expect(first("eager")).toBeLessThanOrEqual(first("strict"));
  });

  it("is of so many hours as were asked for", async () => {
    const found = await openReplay(climbing(90)).replay({ settings: ["eager"], spanMs: 600_000 });
    expect(found).toMatchObject({ samples: 21, replayed: [{ sensitivity: "eager" }] });
  });

  it("runs once at a time, and the next when it is done", async () => {
    const own = openReplay(climbing(90));
    const first = own.replay({ settings: ["default"], spanMs: 3_600_000 });
    await expect(own.replay({ settings: ["default"], spanMs: 3_600_000 })).rejects.toThrow(
      "another replay is running",
    );
    await first;
    await own.replay({ settings: ["default"], spanMs: 60_000 });
  });

  it("ends at its deadline, and when the monitor stops", async () => {
    const late = openReplay(climbing(90), { limitMs: 1 });
    await expect(late.replay({ settings: ["default"], spanMs: 3_600_000 })).rejects.toThrow(
      "not done within 0.001 s",
    );
    const stopped = openReplay(climbing(90));
    const asked = stopped.replay({ settings: ["default"], spanMs: 3_600_000 });
    await Promise.all([expect(asked).rejects.toThrow("ended without an answer"), stopped.close()]);
  });

  it("says that there is none yet", async () => {
    await expect(openReplay(new Rings()).replay({ settings: ["eager"], spanMs: 1 })).rejects.toThrow(
      "there is no past yet",
    );
  });
});
