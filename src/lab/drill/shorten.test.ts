import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { durationMs, shortenAlertmanager, shortenRules } from "./shorten.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

describe("durations", () => {
  test.each([
    ["30s", 30_000],
    ["10m", 600_000],
    ["1m30s", 90_000],
    ["500ms", 500],
    ["1h", 3_600_000],
    ["0s", 0],
  ])("%s", (text, ms) => expect(durationMs(text)).toBe(ms));

  test.each(["", "10", "m", "1.5m", "10 m", "10y"])("%j is none", (text) => {
    expect(() => durationMs(text)).toThrow(`"${text}" is no duration`);
  });
});

test("rules are divided in for, windows and offsets, and in nothing else", () => {
  const text = `groups:
  - name: g
    rules:
      - record: a:b:rate5m
        expr: rate(b[5m]) / 5
      - alert: A
        expr: a:b:rate5m > 5 unless x offset 15m
        for: 10m
        keep_firing_for: 90s
        annotations: { summary: "for 10m [5m]" }
`;
  expect(parse(shortenRules(text, 30)).groups[0].rules).toEqual([
    { record: "a:b:rate5m", expr: "rate(b[10000ms]) / 5" },
    {
      alert: "A",
      expr: "a:b:rate5m > 5 unless x offset 30000ms",
      for: "20000ms",
      keep_firing_for: "3000ms",
      annotations: { summary: "for 10m [5m]" },
    },
  ]);
});

test("every shipped rule file is shortened: no minutes are left in an expression", () => {
  const files = globSync("prometheus/rules/*.yml", { cwd: root });
  expect(files.length).toBeGreaterThan(2);
  for (const file of files) {
    const { groups } = parse(shortenRules(readFileSync(join(root, file), "utf8"), 30)) as {
      groups: { rules: { expr: string; for?: string }[] }[];
    };
    for (const rule of groups.flatMap((group) => group.rules)) {
      expect(rule.expr).not.toMatch(/\[\d+[smh]\]|offset \d+[smh]\b/);
      if (rule.for !== undefined) expect(rule.for).toMatch(/^\d+ms$/);
    }
  }
});

test("Alertmanager's shipped configuration goes to the monitor of the drill, sooner, and to people as before", () => {
  const shipped = readFileSync(join(root, "alertmanager/alertmanager.yml"), "utf8");
  const before = parse(shipped);
  const after = parse(
    shortenAlertmanager(shipped, { speed: 30, webhookUrl: "http://127.0.0.1:1/hook", tokenFile: "/token" }),
  );
  const [monitor] = after.receivers.filter((r: { name: string }) => r.name === "predictive-monitor");
  expect(monitor.webhook_configs).toEqual([
    {
      url: "http://127.0.0.1:1/hook",
      send_resolved: true,
      http_config: {
        authorization: { type: "Bearer", credentials_file: "/token" },
        follow_redirects: false,
      },
    },
  ]);
  expect(after.templates).toBeUndefined();
  expect(after.inhibit_rules).toEqual(before.inhibit_rules);
  expect(after.route.group_interval).toBe("10s");
  expect(after.route.routes.map((r: { matchers: string[] }) => r.matchers)).toEqual(
    before.route.routes.map((r: { matchers: string[] }) => r.matchers),
  );
  const toMonitor = after.route.routes.find((r: { receiver: string }) => r.receiver === "predictive-monitor");
  expect(toMonitor).toMatchObject({ group_wait: "0s", group_interval: "1s", repeat_interval: "2s" });
});
