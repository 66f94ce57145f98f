import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Store } from "../../src/monitor/kernel/store.ts";
import { StoreError } from "../../src/monitor/kernel/store.ts";
import { createMemoryDisk, createMemoryStore } from "../../src/monitor/store/memory/index.ts";
import { openSqliteStore } from "../../src/monitor/store/sqlite/index.ts";
import { describeStore } from "./behaviour.ts";
import { intentOf, type ManualClock, manualClock, outcomeOf, testDirectory } from "./fixtures.ts";

describeStore("memory", () => {
  const disk = createMemoryDisk();
  return { open: (settings) => createMemoryStore({ ...settings, disk }) };
});

describeStore("sqlite", () => {
  const path = join(testDirectory(), "journal.db");
  return { open: (settings) => openSqliteStore({ ...settings, path }) };
});

const text = fc.string({ unit: "binary", maxLength: 4 });
const id = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom("a", "b", "c", "d", "e") },
  { weight: 1, arbitrary: text },
);
const number = fc.oneof(
  { weight: 9, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY) },
);

const operation = fc.oneof(
  fc.record({ do: fc.constant("intent" as const), id, target: id, forecast: number }),
  fc.record({
    do: fc.constant("outcome" as const),
    id,
    detail: text,
    answer: fc.dictionary(text, fc.jsonValue()),
  }),
  fc.record({
    do: fc.constant("series" as const),
    rows: fc.array(
      fc.record({ key: id, inRisk: fc.boolean(), pending: fc.dictionary(text, number, { maxKeys: 2 }) }),
      { maxLength: 3 },
    ),
  }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 4_000 }) }),
  fc.record({ do: fc.constant("reopen" as const) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

const retention = { maxEntries: 3, maxAgeMs: 5_000 };

/** Runs the operations on one store; what it returns is everything that can be seen of it. */
function run(operations: readonly Operation[], open: (clock: ManualClock) => Store): unknown[] {
  const clock = manualClock();
  let store = open(clock);
  const seen = operations.map((operation) => {
    let threw = false;
    try {
      const at = clock.now();
      if (operation.do === "intent") {
        const { id, target, forecast } = operation;
        store.recordIntent(intentOf(id, { target, forecast, at }));
      } else if (operation.do === "outcome") {
        const { id, detail, answer } = operation;
        const [instance] = outcomeOf(id).instances;
        store.recordOutcome(outcomeOf(id, { detail, at, instances: [{ ...instance!, answer }] }));
      } else if (operation.do === "series") store.saveSeries(operation.rows);
      else if (operation.do === "wait") clock.wallMs += operation.ms;
      else {
        store.close();
        store = open(clock);
      }
    } catch (error) {
      expect(error).toBeInstanceOf(StoreError);
      threw = true;
    }
    return { threw, epoch: store.epoch, loaded: store.load(), recent: store.recent(100) };
  });
  store.close();
  return seen;
}

describe("any sequence of operations", () => {
  it("leaves the embedded store and the one in memory with the same state and the same refusals", () => {
    let refusals = 0;
    let withOutcome = 0;
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 20 }), (operations) => {
        const directory = mkdtempSync(join(tmpdir(), "helius-store-"));
        try {
          const disk = createMemoryDisk();
          const path = join(directory, "journal.db");
          const inMemory = run(operations, (clock) => createMemoryStore({ clock, retention, disk }));
          const onDisk = run(operations, (clock) => openSqliteStore({ clock, retention, path }));
          expect(onDisk).toStrictEqual(inMemory);
          refusals += inMemory.filter((step) => (step as { threw: boolean }).threw).length;
          withOutcome += operations.some((op) => op.do === "outcome") ? 1 : 0;
        } finally {
          rmSync(directory, { recursive: true, force: true });
        }
      }),
      { numRuns: 60 },
    );
    // The sequences must reach both sides of the rules, or the comparison says little.
    expect(refusals).toBeGreaterThan(10);
    expect(withOutcome).toBeGreaterThan(10);
  });
});
