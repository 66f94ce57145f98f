import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MetricSource } from "../../src/monitor/kernel/observation.ts";
import { createScrapeSource } from "../../src/monitor/sources/scrape/index.ts";
import { arm, misread } from "./armed.ts";
import { honestPage, type PageCase, pageCase, pageOf } from "./scrape-pages.ts";
import { Wire } from "./wire.ts";

const TARGETS = 25;
const BATCH = 8 * TARGETS;
const CAP_BYTES = 16 * 1024;

/** Shows pages to a loop that the next honest page of each target sets off; then gives the honest ones. */
async function show(cases: readonly PageCase[], spoil: (source: MetricSource) => MetricSource = (s) => s) {
  const now: { from: number | undefined } = { from: undefined };
  const armed = await arm({
    count: TARGETS,
    source: ({ time, value }) => {
      const dispatcher = new Wire(({ origin }) => {
        const at = Number(/t(\d+):/.exec(origin)?.[1]);
        const honest = { body: Buffer.from(honestPage(value())) };
        if (now.from === undefined) return honest;
        const c = cases[(now.from + at) % cases.length] as PageCase;
        return pageOf(c, { value: value(), nowMs: time.clock.now().wallMs, capBytes: CAP_BYTES });
      });
      return spoil(
        createScrapeSource({
          timeoutMs: 600_000,
          maxResponseBytes: CAP_BYTES,
          rateWindowMs: 60_000,
          clock: time.clock,
          dispatcher,
        }),
      );
    },
  });
  const found: { case: unknown; what: string }[] = [];
  let shown = 0;
  for (let from = 0; from < cases.length; from += TARGETS) {
    now.from = from;
    for (const { target, what } of misread(await armed.tick()))
      found.push({ case: cases[(from + Number(target.slice(1))) % cases.length], what });
    shown += TARGETS;
  }
  const acted = armed.fleet.effects.length;
  now.from = undefined;
  if (found.length === 0) await armed.tick();
  const moved = new Set(armed.fleet.effects.map(({ intent }) => intent.target));
  return { shown, found, acted, moved: moved.size };
}

const pages = fc.array(pageCase, { minLength: 1, maxLength: BATCH, size: "max" });

describe("whatever a target's page says, nothing is acted on that was not honestly told", () => {
  it("15000 pages", { timeout: 600_000 }, async () => {
    let shown = 0;
    await fc.assert(
      fc.asyncProperty(pages, async (cases) => {
        const verdict = await show(cases);
        shown += verdict.shown;
        expect(verdict.found).toEqual([]);
        expect(verdict.acted).toBe(0);
        expect(verdict.moved).toBe(TARGETS);
      }),
      { numRuns: Math.ceil((2.1 * 15_000) / BATCH) },
    );
    expect(shown).toBeGreaterThanOrEqual(12_000);
  });

  it("a reader that takes what it cannot read for its limit would act", { timeout: 120_000 }, async () => {
    const lenient = (source: MetricSource): MetricSource => ({
      name: source.name,
      observe: async (request) =>
        (await source.observe(request)).map((o) =>
          o.status === "ok"
            ? o
            : { status: "ok", source: o.source, value: 9999, timestampMs: request.now.wallMs },
        ),
    });
    const [cases = []] = fc.sample(pages, { numRuns: 1, seed: 1 });
    expect((await show(cases, lenient)).acted).toBeGreaterThan(0);
  });
});
