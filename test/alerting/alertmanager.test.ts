import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, type TestContext, test } from "vitest";
import { parse } from "yaml";
import { inRepository, readRepository } from "../containers/compose.ts";
import { requireServer } from "../setup/require-server.ts";
import { alertRules } from "./rules.ts";

const ESCALATION_ALERT = "SelfHealEscalation";
const CONFIG = "alertmanager/alertmanager.yml";

interface Inhibition {
  readonly source_matchers: readonly string[];
  readonly target_matchers: readonly string[];
}

const config = parse(readRepository(CONFIG)) as { inhibit_rules: readonly Inhibition[] };
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "helius-amtool-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function amtool(context: TestContext, ...args: string[]): string {
  const run = spawnSync(requireServer("amtool", context), args, { cwd: inRepository("."), encoding: "utf8" });
  expect(run.status, run.stdout + run.stderr).toBe(0);
  return run.stdout;
}

/** Receivers of an alert with these labels, in the order in which they hear of it. */
function receivers(context: TestContext, labels: Readonly<Record<string, string>>): string[] {
  const given = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  return amtool(context, "config", "routes", "test", `--config.file=${CONFIG}`, ...given)
    .trim()
    .split(",");
}

test("amtool accepts the configuration and its templates", (context) => {
  const said = amtool(context, "check-config", CONFIG);
  expect(said).toContain("2 receivers");
  expect(said).toContain("1 templates");
});

test("the examples that a team uncomments are valid as they stand", (context) => {
  mkdirSync(join(folder, "templates"));
  writeFileSync(join(folder, "templates/helius.tmpl"), readRepository("alertmanager/templates/helius.tmpl"));
  const lines = readRepository(CONFIG).split("\n");
  const from = lines.findIndex((line) => line.trim() === "- name: people");
  const filled = lines.map((line, at) => (at > from ? line.replace(/^ {4}# /, "    ") : line)).join("\n");
  writeFileSync(join(folder, "alertmanager.yml"), filled);
  const people = (parse(filled) as { receivers: Record<string, unknown>[] }).receivers.at(-1) ?? {};
  expect(Object.keys(people).sort()).toEqual(["email_configs", "name", "slack_configs", "webhook_configs"]);
  amtool(context, "check-config", join(folder, "alertmanager.yml"));
});

test("alerts for containment go to the monitor and to people, all others to people alone", (context) => {
  expect(alertRules.length).toBeGreaterThan(15);
  for (const { alert, labels } of alertRules)
    expect(receivers(context, { alertname: alert, ...labels }), alert).toEqual(
      labels.containment === "true" ? ["predictive-monitor", "people"] : ["people"],
    );
});

test("the monitor's own call for help goes to people, and never back to it", (context) => {
  expect(receivers(context, { alertname: ESCALATION_ALERT, target: "product-api" })).toEqual(["people"]);
  expect(receivers(context, { alertname: ESCALATION_ALERT, containment: "true" })).toEqual(["people"]);
});

test("inhibition names alerts that exist, and spares what the monitor must hear", () => {
  const known = [...alertRules.map((rule) => rule.alert), ESCALATION_ALERT];
  for (const { source_matchers, target_matchers } of config.inhibit_rules) {
    expect(target_matchers).toContain('containment!="true"');
    for (const matcher of [...source_matchers, ...target_matchers].filter((m) => m.startsWith("alertname"))) {
      const names = /^alertname=~?"([\w|]+)"$/.exec(matcher)?.[1]?.split("|");
      expect(names, matcher).toBeDefined();
      for (const name of names ?? []) expect(known, matcher).toContain(name);
    }
  }
});

test("the templates say what happened, since when, and where the runbook is", (context) => {
  const label = { alertname: "ServiceDown", job: "product-api", severity: "critical" };
  const alert = {
    labels: label,
    annotations: { summary: "It does not answer", description: "For a minute.", runbook_url: "docs/x.md#y" },
    startsAt: "2026-11-21T10:00:00Z",
    endsAt: "2026-11-21T10:05:00Z",
  };
  const data = (status: string) => ({
    receiver: "people",
    status,
    commonLabels: label,
    alerts: [{ ...alert, status }],
  });
  const render = (status: string, name: string) => {
    writeFileSync(join(folder, "data.json"), JSON.stringify(data(status)));
    return amtool(
      context,
      "template",
      "render",
      `--template.glob=${inRepository("alertmanager/templates/*.tmpl")}`,
      `--template.data=${join(folder, "data.json")}`,
      `--template.text={{ template "${name}" . }}`,
    ).trim();
  };
  expect(render("firing", "helius.title")).toBe("[FIRING 1] ServiceDown product-api");
  expect(render("resolved", "helius.title")).toBe("[RESOLVED] ServiceDown product-api");
  expect(render("firing", "helius.text")).toBe(
    "CRITICAL: It does not answer\nFor a minute.\nSince 2026-11-21 10:00:00 UTC. Runbook: docs/x.md#y",
  );
  expect(render("resolved", "helius.text")).toContain(
    "Resolved. CRITICAL: It does not answer\nFor a minute.\nSince 2026-11-21 10:00:00 UTC until 2026-11-21 10:05:00 UTC.",
  );
});
