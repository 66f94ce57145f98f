import { describe, expect, test } from "vitest";
import { drills } from "./index.ts";
import { runObject } from "./json.ts";
import { describePace, paceOf } from "./pace.ts";
import { plotRun, plotScale } from "./plot.ts";
import { answersOf, recordingOf } from "./recording.testkit.ts";
import { renderDrill } from "./table.ts";

const rise = Array.from({ length: 61 }, (_, s) => 2 ** (s / 4.5));
const contained = rise.map((value, s) => (s < 24 ? value : 2));
const acts = [{ atS: 24, target: "telemetry-gateway", what: "isolate-region", carriedOut: true }];
const off = recordingOf({ heal: "off", levels: rise, acts, pages: answersOf("11") });
const on = recordingOf({ heal: "on", levels: contained, acts, pages: answersOf("11") });

/** Cells of the row that begins with `name`, from the `nth` such row. */
function row(text: string, name: string, nth = 0): string[] {
  const found = text.split("\n").filter((line) => line.trim().startsWith(name))[nth] ?? "";
  return found.trim().slice(name.length).trim().split(/ {2,}/);
}

describe("the table", () => {
  const text = renderDrill([off, on], [{ text: "a goal", came: "7", reached: false }]);

  test("has the runs side by side", () => {
    expect(text.split("\n")[4]?.trim()).toMatch(/^not healed +healed$/);
    expect(row(text, "time to detect")).toEqual(["24.0 s", "24.0 s"]);
    expect(row(text, "time to recover")).toEqual(["–", "never above"]);
    expect(row(text, "longest queue")).toEqual(["10321", "35"]);
    expect(row(text, "lost")).toEqual(["0", "0"]);
    expect(row(text, "pages available")).toEqual(["100 %", "100 %"]);
  });

  test("says the speed and what it shortens, and what it does not", () => {
    expect(text).toContain("speed 30: cycle 1 s (30), rate window 2 s (60), cooldown 10 s (300)");
    expect(text).toContain("horizon 180 s, not shortened");
    expect(describePace(paceOf(1))).toBe("speed 1: the timers of a real installation");
  });

  test("says where the machine held the drill up", () => {
    expect(text).not.toContain("held the drill");
    const stalled = { ...on, longestStallMs: 400 };
    expect(renderDrill([off, stalled], [])).toContain(
      "held the drill itself up for as long as: healed 400 ms.",
    );
  });

  test("says which goals were not reached", () => {
    expect(text).toContain("NOT REACHED  a goal: 7");
  });

  test("has rows for predictions where there are any", () => {
    const drifting = recordingOf({ predictions: answersOf("1010"), levels: [0] });
    expect(row(renderDrill([drifting], []), "invalid predictions served")).toEqual(["50 %"]);
    expect(text).not.toContain("predictions");
  });
});

describe("the plot", () => {
  const scale = plotScale([off, on]);

  test("shows both runs on one scale, with the SLO and the marks", () => {
    const plot = plotRun(off, scale, [["D", 24]]).split("\n");
    expect(plot).toHaveLength(7);
    expect(plot[0]).toMatch(/^ +10k │ +▁?.*█$/u);
    expect(plot.filter((line) => line.startsWith("SLO 100"))).toHaveLength(1);
    expect(plot.at(-1)).toMatch(/^ +└─+D─+ 60 s$/);
    expect(plotRun(on, scale, []).split("\n")[0]).toMatch(/^ +10k │$/u);
  });

  test("leaves a gap before anything is known, and marks that fall together stand beside each other", () => {
    const late = recordingOf({ levels: [undefined, undefined, 50, 50] });
    const [lowest, axis] = plotRun(late, { most: 100, untilS: 60 }, [
      ["D", 2],
      ["C", 2],
      ["R", 99],
    ])
      .split("\n")
      .slice(-2);
    expect(lowest).toMatch(/│ {2}[▁-█]/u);
    expect(axis).toContain("─DC─");
    expect(axis).not.toContain("R");
  });
});

describe("the object of a run", () => {
  test("has every figure under its name, and null for what is not known", () => {
    const object = runObject(off);
    for (const name of [
      "drill",
      "heal",
      "detect_s",
      "contain_s",
      "recover_s",
      "max_queue",
      "seconds_above",
      "acked",
      "delivered",
      "dead_lettered",
      "lost",
      "invalid_ratio",
      "availability",
    ])
      expect(Object.keys(object)).toContain(name);
    expect(object).toMatchObject({ drill: "a-drill", heal: "off", detect_s: 24, recover_s: null, lost: 0 });
    expect(runObject(recordingOf({}))).toMatchObject({
      max_queue: null,
      invalid_ratio: null,
      seconds_above: 0,
    });
  });
});

test("every drill fits its pace, names itself once, and has what every drill needs", () => {
  expect(new Set(drills.map(({ name }) => name)).size).toBe(drills.length);
  for (const drill of drills)
    for (const speed of [1, 10, 30, 60]) {
      const pace = paceOf(speed);
      expect(drill.services).toEqual(expect.arrayContaining(["product-api", "telemetry-gateway"]));
      expect(drill.level(pace).slo).toBeGreaterThan(0);
      for (const value of Object.values(drill.env(pace)))
        expect(Number(value), drill.name).toBeGreaterThan(0);
    }
});

test("the pace divides what it says, within what the monitor takes", () => {
  expect(paceOf(10)).toMatchObject({ cycleS: 3, rateWindowS: 6, cooldownS: 30, horizonS: 180 });
  expect(paceOf(60)).toMatchObject({ cycleS: 1, rateWindowS: 2, cooldownS: 5 });
  expect(paceOf(30).s(600)).toBe(20);
  expect(() => paceOf(0)).toThrow("speed is 0: expected a number from 1 to 60");
});
