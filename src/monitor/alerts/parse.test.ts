import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { at, WALL_MS } from "./alerts.testkit.ts";
import { parseWebhook } from "./parse.ts";

const MAX_LABELS = 64;
const iso = (ms: number) => new Date(ms).toISOString();
/** As Alertmanager 0.25 sends it. */
const firing = {
  status: "firing",
  labels: { alertname: "PipelineBacklogHigh", job: "telemetry-gateway", severity: "critical" },
  annotations: { summary: "Backlog is high" },
  startsAt: iso(WALL_MS - 60_000),
  endsAt: "0001-01-01T00:00:00Z",
  generatorURL: "http://prometheus:9090/graph",
  fingerprint: "7e5ae9f30e2b1b0c",
};
const resolved = { ...firing, status: "resolved", endsAt: iso(WALL_MS - 1000) };
const body = (...alerts: unknown[]): Record<string, unknown> => ({
  receiver: "predictive-monitor",
  status: "firing",
  alerts,
  groupLabels: { alertname: "PipelineBacklogHigh" },
  commonLabels: {},
  commonAnnotations: {},
  externalURL: "http://alertmanager:9093",
  version: "4",
  groupKey: '{}:{alertname="PipelineBacklogHigh"}',
  truncatedAlerts: 0,
});
const problemsOf = (payload: unknown) =>
  parseWebhook(payload, at(0)).problems.map((p) => `${p.field} ${p.message}`);

describe("parseWebhook", () => {
  it("reads what fires and what is over", () => {
    const heard = at(0);
    const common = {
      fingerprint: "7e5ae9f30e2b1b0c",
      name: "PipelineBacklogHigh",
      labels: firing.labels,
      startsAtMs: WALL_MS - 60_000,
      receivedAt: heard.now,
      bootId: heard.bootId,
    };
    expect(parseWebhook(body(firing, resolved), heard)).toEqual({
      alerts: [
        { ...common, status: "firing" },
        { ...common, status: "resolved", endsAtMs: WALL_MS - 1000 },
      ],
      problems: [],
      unusable: 0,
      truncated: 0,
    });
  });

  it("takes an alert that fires and does not say when it ends", () => {
    const { endsAt: _none, ...open } = firing;
    const webhook = parseWebhook(body(open), at(0));
    expect(webhook.problems).toEqual([]);
    expect(webhook.alerts).toEqual([expect.objectContaining({ status: "firing", labels: firing.labels })]);
    expect(problemsOf(body({ ...open, status: "resolved" }))).toEqual([
      "alerts[0].endsAt must be an RFC 3339 time, e.g. 2026-11-21T14:29:04Z, not absent",
    ]);
  });

  it("says how many alerts were left out of the message", () => {
    expect(parseWebhook({ ...body(firing), truncatedAlerts: 7 }, at(0))).toMatchObject({
      truncated: 7,
      problems: [],
    });
  });

  it.each<[string, unknown, string]>([
    ["text", "x", "body must be a JSON object, as Alertmanager's webhook sends it"],
    ["nothing", null, "body must be a JSON object, as Alertmanager's webhook sends it"],
    ["a list", [body()], "body must be a JSON object, as Alertmanager's webhook sends it"],
    ["no version", { alerts: [] }, 'version must be "4", not absent'],
    ["another version", { ...body(), version: "3" }, 'version must be "4", not "3"'],
    ["alerts by name", { ...body(), alerts: {} }, "alerts must be a list"],
    ["a group key of another type", { ...body(), groupKey: 4 }, "groupKey must be text"],
    [
      "fewer than none left out",
      { ...body(), truncatedAlerts: -1 },
      "truncatedAlerts must be a whole number from 0",
    ],
  ])("refuses an envelope with %s", (_name, payload, problem) => {
    const webhook = parseWebhook(payload, at(0));
    expect(webhook.problems.map((p) => `${p.field} ${p.message}`)).toEqual([problem]);
    expect(webhook.alerts).toEqual([]);
  });

  const long = "x".repeat(4090);
  it.each<[string, unknown, string]>([
    ["no object", 5, "alerts[1] must be a JSON object"],
    [
      "another status",
      { ...firing, status: "suppressed" },
      'alerts[1].status must be "firing" or "resolved", not "suppressed"',
    ],
    [
      "no fingerprint",
      { ...firing, fingerprint: undefined },
      "alerts[1].fingerprint must be 16 hexadecimal digits, not absent",
    ],
    [
      "a fingerprint that is none",
      { ...firing, fingerprint: "../../x" },
      'alerts[1].fingerprint must be 16 hexadecimal digits, not "../../x"',
    ],
    [
      "no start",
      { ...firing, startsAt: undefined },
      "alerts[1].startsAt must be an RFC 3339 time, e.g. 2026-11-21T14:29:04Z, not absent",
    ],
    [
      "a start that is no date",
      { ...firing, startsAt: "yesterday" },
      'alerts[1].startsAt must be an RFC 3339 time, e.g. 2026-11-21T14:29:04Z, not "yesterday"',
    ],
    [
      "a start that is a number",
      { ...firing, startsAt: WALL_MS },
      `alerts[1].startsAt must be an RFC 3339 time, e.g. 2026-11-21T14:29:04Z, not ${WALL_MS}`,
    ],
    [
      "the zero time as its start",
      { ...firing, startsAt: "0001-01-01T00:00:00Z" },
      'alerts[1].startsAt must be after 1970, not "0001-01-01T00:00:00Z"',
    ],
    [
      "a start in the future",
      { ...firing, startsAt: iso(WALL_MS + 601_000) },
      `alerts[1].startsAt must not be more than 600 s ahead of the monitor's clock; "${iso(WALL_MS + 601_000)}" is by 601 s`,
    ],
    [
      "an end in the future",
      { ...resolved, endsAt: iso(WALL_MS + 601_000) },
      `alerts[1].endsAt must not be more than 600 s ahead of the monitor's clock; "${iso(WALL_MS + 601_000)}" is by 601 s`,
    ],
    [
      "no end although it is over",
      { ...resolved, endsAt: firing.endsAt },
      'alerts[1].endsAt must not lie before startsAt, as "0001-01-01T00:00:00Z" does',
    ],
    [
      "an end that is no date although it fires",
      { ...firing, endsAt: "never" },
      'alerts[1].endsAt must be an RFC 3339 time, e.g. 2026-11-21T14:29:04Z, not "never"',
    ],
    ["no labels", { ...firing, labels: [] }, "alerts[1].labels must be a mapping of names to texts"],
    ["no name", { ...firing, labels: { job: "a" } }, "alerts[1].labels.alertname must name the alert"],
    [
      "a label that is a number",
      { ...firing, labels: { ...firing.labels, port: 80 } },
      "alerts[1].labels.port must be text",
    ],
    [
      "a label that is too long, counted in bytes",
      { ...firing, labels: { ...firing.labels, note: "é".repeat(2047) } },
      "alerts[1].labels.note must have at most 4096 bytes, not 4098",
    ],
    [
      "a label that is too long in signs of three bytes",
      { ...firing, labels: { ...firing.labels, note: "\u20ac".repeat(1365) } },
      "alerts[1].labels.note must have at most 4096 bytes, not 4099",
    ],
    [
      "a label that is too long in signs of four bytes",
      { ...firing, labels: { ...firing.labels, note: "\u{1d11e}".repeat(1024) } },
      "alerts[1].labels.note must have at most 4096 bytes, not 4100",
    ],
    [
      "labels that are too long together",
      { ...firing, labels: { ...firing.labels, a: long, b: long, c: long, d: long, e: long } },
      /^alerts\[1\]\.labels must have at most 16384 bytes in all, not \d+$/.source,
    ],
    [
      "too many labels",
      {
        ...firing,
        labels: Object.fromEntries(Array.from({ length: MAX_LABELS + 1 }, (_, i) => [`l${i}`, ""])),
      },
      "alerts[1].labels must be at most 64, not 65",
    ],
  ])("refuses an alert with %s, by its field, and takes the others", (_name, alert, problem) => {
    const webhook = parseWebhook(body(resolved, alert, firing), at(0));
    const [said] = webhook.problems.map((p) => `${p.field} ${p.message}`);
    if (problem.startsWith("^")) expect(said).toMatch(new RegExp(problem));
    else expect(said).toBe(problem);
    expect(webhook.unusable).toBe(1);
    expect(webhook.alerts.map((a) => a.status)).toEqual(["resolved", "firing"]);
  });

  it("takes times up to ten minutes ahead: clocks differ", () => {
    expect(problemsOf(body({ ...firing, startsAt: iso(WALL_MS + 600_000) }))).toEqual([]);
  });

  it("takes names of labels that mean something to the language as mere names", () => {
    const labels = JSON.parse('{"alertname":"A","__proto__":"x","constructor":"y"}');
    const [alert] = parseWebhook(body({ ...firing, labels }), at(0)).alerts;
    expect(Object.entries(alert?.labels ?? {})).toEqual([
      ["alertname", "A"],
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    expect(Object.getPrototypeOf(alert?.labels)).toBe(Object.prototype);
    const noName = JSON.parse('{"__proto__":{"alertname":"A"}}');
    expect(problemsOf(body({ ...firing, labels: noName }))).toHaveLength(1);
  });

  it("answers whatever comes, and what it takes is always whole", () => {
    const anything = fc.oneof(
      fc.anything(),
      fc.record({ version: fc.constant("4"), alerts: fc.array(fc.anything()) }),
      fc.record({
        version: fc.constant("4"),
        alerts: fc.array(
          fc.record(
            {
              status: fc.constantFrom("firing", "resolved", "x"),
              fingerprint: fc.constantFrom("00000000000000aa", "z", 1),
              startsAt: fc.oneof(fc.date().map(String), fc.constant(firing.startsAt), fc.anything()),
              endsAt: fc.oneof(fc.constant(resolved.endsAt), fc.anything()),
              labels: fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.constant({ alertname: "A" })),
            },
            { requiredKeys: [] },
          ),
        ),
      }),
    );
    fc.assert(
      fc.property(anything, (payload) => {
        const { alerts, problems, unusable } = parseWebhook(payload, at(0));
        for (const alert of alerts) {
          expect(alert.startsAtMs).toBeGreaterThan(0);
          expect(alert.startsAtMs).toBeLessThanOrEqual(WALL_MS + 600_000);
          if (alert.status === "resolved") expect(alert.endsAtMs).toBeGreaterThanOrEqual(alert.startsAtMs);
          else expect(alert).not.toHaveProperty("endsAtMs");
          expect(alert.name).toBe(alert.labels.alertname);
        }
        for (const { field, message } of problems) {
          expect(field).not.toBe("");
          expect(message).toMatch(/^must /);
        }
        expect(unusable).toBeLessThanOrEqual(problems.length);
      }),
    );
  });
});
