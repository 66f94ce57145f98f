import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseWebhook } from "../../src/monitor/alerts/parse.ts";
import { bedOf, GATEWAY, playbookOf, stepOf } from "../../src/monitor/cycle/execute/playbooks.testkit.ts";
import { createMemoryStore } from "../../src/monitor/store/memory/index.ts";
import { anyJson } from "./absurd-json.ts";

const MAX_AHEAD_MS = 600_000;
const MAX_LABELS = 64;

type Json = Record<string, unknown>;

/** What Alertmanager would send of the alert that the playbook waits for. */
function honest(nowMs: number): Json & { alerts: [Json & { labels: Json }] } {
  return {
    version: "4",
    groupKey: "{}:{}",
    status: "firing",
    truncatedAlerts: 0,
    alerts: [
      {
        status: "firing",
        fingerprint: "00000000000000f1",
        labels: { alertname: "BacklogHigh", job: GATEWAY.job },
        startsAt: new Date(nowMs - 60_000).toISOString(),
        endsAt: "0001-01-01T00:00:00Z",
      },
    ],
  };
}

/** One thing that is wrong with an otherwise honest body. */
type BodyCase =
  | { readonly at: "body"; readonly body: unknown }
  | { readonly at: "field"; readonly fields: Json }
  | { readonly at: "alert"; readonly alert: unknown }
  | { readonly at: "alert_field"; readonly fields: Json }
  | { readonly at: "labels"; readonly labels: Json }
  | { readonly at: "ahead"; readonly ms: number };

const field = (name: string, values: fc.Arbitrary<unknown>) =>
  values.map((value): BodyCase => ({ at: "field", fields: { [name]: value } }));
const alertField = (name: string, values: fc.Arbitrary<unknown>) =>
  values.map((value): BodyCase => ({ at: "alert_field", fields: { [name]: value } }));
const notTime = fc.oneof(
  fc.constantFrom("", "now", "2026-13-01T00:00:00Z", "2026-11-21", "2026-11-21T25:00:00Z", "1760000000"),
  fc.constantFrom(
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59Z",
    "2026-11-21T14:29:04",
  ),
  anyJson,
);

const bodyCase: fc.Arbitrary<BodyCase> = fc.oneof(
  { weight: 2, arbitrary: anyJson.map((body): BodyCase => ({ at: "body", body })) },
  field(
    "version",
    anyJson.filter((v) => v !== "4"),
  ),
  field(
    "alerts",
    anyJson.filter((v) => !Array.isArray(v) || v.every((a) => typeof a !== "object")),
  ),
  field(
    "groupKey",
    anyJson.filter((v) => typeof v !== "string"),
  ),
  field(
    "truncatedAlerts",
    fc.oneof(
      fc.constantFrom(-1, 1.5, "3", [], true, 2 ** 53),
      anyJson.filter((v) => typeof v !== "number" && v !== null),
    ),
  ),
  anyJson.map((alert): BodyCase => ({ at: "alert", alert })),
  alertField(
    "status",
    anyJson.filter((v) => v !== "firing" && v !== "resolved"),
  ),
  alertField(
    "fingerprint",
    fc.oneof(fc.constantFrom("", "f1", "00000000000000F1", "00000000000000f1 "), anyJson),
  ),
  alertField("labels", anyJson),
  alertField("startsAt", notTime),
  alertField(
    "endsAt",
    notTime.filter((v) => v !== "0001-01-01T00:00:00Z" && v !== "1969-12-31T23:59:59Z"),
  ),
  fc
    .oneof(fc.integer({ min: MAX_AHEAD_MS + 1, max: 1e11 }), fc.constant(3e11))
    .map((ms): BodyCase => ({ at: "ahead", ms })),
  fc
    .oneof(
      anyJson.filter((v) => typeof v !== "string").map((v): Json => ({ job: v })),
      fc.constantFrom<Json>(
        { alertname: "" },
        { alertname: "Backloghigh" },
        { alertname: 7 },
        { alertname: "constructor" },
      ),
      fc.constant<Json>({ x: "y".repeat(5000) }),
      fc.constant<Json>(Object.fromEntries(Array.from({ length: MAX_LABELS }, (_, n) => [`l${n}`, ""]))),
    )
    .map((labels): BodyCase => ({ at: "labels", labels })),
);

function bodyOf(c: BodyCase, nowMs: number): unknown {
  const body = honest(nowMs);
  const [alert] = body.alerts;
  if (c.at === "body") return c.body;
  if (c.at === "field") return { ...body, ...c.fields };
  if (c.at === "alert") return { ...body, alerts: [c.alert] };
  if (c.at === "alert_field") return { ...body, alerts: [{ ...alert, ...c.fields }] };
  if (c.at === "labels") return { ...body, alerts: [{ ...alert, labels: { ...alert.labels, ...c.labels } }] };
  return { ...body, alerts: [{ ...alert, startsAt: new Date(nowMs + c.ms).toISOString() }] };
}

/** A loop whose playbook the honest body sets off; it is calm otherwise. */
async function waiting() {
  const playbook = playbookOf({ regionsOf: undefined, forecast: undefined, steps: [stepOf("limit")] });
  const bed = bedOf({ store: createMemoryStore(), flood: false, settings: { playbooks: [playbook] } });
  await bed.cycles(3);
  return bed;
}

/** Hears bodies, one cycle after each 25, then the honest one. */
async function show(cases: readonly BodyCase[], read = parseWebhook) {
  const bed = await waiting();
  const hear = (body: unknown) => {
    const at = { now: bed.time.clock.now(), bootId: bed.time.clock.bootId };
    bed.loop.ingestAlerts(read(JSON.parse(JSON.stringify(body ?? null)), at).alerts);
  };
  for (const [n, c] of cases.entries()) {
    hear(bodyOf(c, bed.time.clock.now().wallMs));
    if (n % 25 === 24) await bed.cycle();
  }
  await bed.cycle();
  const acted = bed.effects().length;
  if (acted === 0) {
    hear(honest(bed.time.clock.now().wallMs));
    await bed.cycle();
  }
  return { acted, effects: bed.effects() };
}

const bodies = fc.array(bodyCase, { minLength: 1, maxLength: 100, size: "max" });

describe("whatever comes in by the webhook, nothing is acted on that Alertmanager did not tell", () => {
  it("20000 bodies", { timeout: 600_000 }, async () => {
    let shown = 0;
    await fc.assert(
      fc.asyncProperty(bodies, async (cases) => {
        shown += cases.length;
        const { acted, effects } = await show(cases);
        expect(acted).toBe(0);
        expect(effects, "the honest body is acted on").toEqual(["limit"]);
      }),
      { numRuns: 420 },
    );
    expect(shown).toBeGreaterThan(16_000);
  });

  it.each([
    {
      name: "a time that cannot be read is now",
      repair: (alert: Json, nowMs: number) =>
        Number.isNaN(Date.parse(String(alert.startsAt)))
          ? { ...alert, startsAt: new Date(nowMs).toISOString() }
          : alert,
    },
    {
      name: "a status that is not known means firing",
      repair: (alert: Json) => (alert.status === "resolved" ? alert : { ...alert, status: "firing" }),
    },
    {
      name: "names are compared without case",
      repair: (alert: Json) =>
        JSON.parse(JSON.stringify(alert).replaceAll(/backloghigh/gi, "BacklogHigh")) as Json,
    },
  ])("a reader with one fault would act: $name", { timeout: 120_000 }, async ({ repair }) => {
    let acted = 0;
    for (const cases of fc.sample(bodies, { numRuns: 20, seed: 1 })) {
      const { acted: own } = await show(cases, (body, at) => {
        const { alerts } = (typeof body === "object" && body !== null ? body : {}) as Json;
        const repaired = Array.isArray(alerts)
          ? alerts.map((a) => (typeof a === "object" && a !== null ? repair(a as Json, at.now.wallMs) : a))
          : alerts;
        return parseWebhook(Array.isArray(alerts) ? { ...(body as Json), alerts: repaired } : body, at);
      });
      acted += own;
    }
    expect(acted).toBeGreaterThan(0);
  });
});
