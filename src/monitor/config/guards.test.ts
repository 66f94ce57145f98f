import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { guardSettings } from "../guards/guards.testkit.ts";
import { exitShareOf } from "../guards/storm/index.ts";
import { verificationSettings } from "../verify/verify.testkit.ts";
import { bindings } from "./bindings.ts";
import { ConfigError } from "./errors.ts";
import { loadConfig } from "./load.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-guards-"));
afterAll(() => rmSync(folder, { recursive: true }));
const FILE = join(folder, "helius.yml");

function load(yaml: string, flags: Record<string, string> = {}) {
  writeFileSync(FILE, yaml);
  return loadConfig({ file: FILE, env: {}, flags, targetless: true });
}

/** Every problem as one line, with the folder left out. */
function problems(yaml: string): string[] {
  try {
    load(yaml);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.replaceAll(`${folder}/`, "").split("\n");
  }
  throw new Error("the configuration was accepted");
}

describe("guards", () => {
  it("are all on when a file says nothing of them", () => {
    expect(load("").guards).toEqual(guardSettings());
    expect(load("").verification).toEqual(verificationSettings());
    expect(load("").notify).toEqual({ alertmanager: {}, resendMs: 60_000, timeoutMs: 5000 });
  });

  it("have the defaults that the help shows", () => {
    const plain = load("");
    const own = bindings.filter(({ path }) => /^(guards|verification|notify)\./.test(path));
    expect(own.length).toBeGreaterThan(25);
    for (const { path, kind, shownDefault } of own) {
      if (kind !== "number" || !Number.isFinite(Number(shownDefault))) continue;
      const { guards, verification, notify } = load("", { [path]: shownDefault });
      expect({ guards, verification, notify }, path).toEqual({
        guards: plain.guards,
        verification: plain.verification,
        notify: plain.notify,
      });
    }
  });

  it("take half of the entry share as the exit share of a storm", () => {
    expect(exitShareOf(load("guards: {storm: {share: 0.5}}").guards.storm)).toBe(0.25);
  });

  it("know weekly windows, single ones and silences", () => {
    const { guards } = load(`
guards:
  maintenance:
    - name: backups
      reason: disks
      days: [mon, sun]
      from: 22:00
      to: "02:00"
      timezone: America/Sao_Paulo
    - { name: whole-day, reason: r, target: product-*, action: mitigate, from: "00:00", to: "24:00" }
    - { name: move, reason: r, starts_at: 2026-12-05T06:00:00Z, ends_at: "2026-12-05T09:00:00-03:00" }
  silences:
    - id: s-1
      target: "*-api"
      signal: p95_latency
      author: ana
      reason: load test
      starts_at: 2026-11-21T14:00:00Z
      ends_at: 2026-11-21T18:00:00Z
`);
    const every = { target: "*", signal: "*", action: "*" };
    expect(guards.maintenance).toEqual([
      {
        ...every,
        name: "backups",
        reason: "disks",
        when: {
          kind: "weekly",
          days: [1, 0],
          fromMinute: 1320,
          toMinute: 120,
          timeZone: "America/Sao_Paulo",
        },
      },
      {
        ...every,
        name: "whole-day",
        reason: "r",
        target: "product-*",
        action: "mitigate",
        when: { kind: "weekly", days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 0, toMinute: 1440, timeZone: "UTC" },
      },
      {
        ...every,
        name: "move",
        reason: "r",
        when: { kind: "once", startsAtMs: Date.UTC(2026, 11, 5, 6), endsAtMs: Date.UTC(2026, 11, 5, 12) },
      },
    ]);
    expect(guards.silences).toEqual([
      {
        ...every,
        id: "s-1",
        target: "*-api",
        signal: "p95_latency",
        author: "ana",
        reason: "load test",
        startsAtMs: Date.UTC(2026, 10, 21, 14),
        endsAtMs: Date.UTC(2026, 10, 21, 18),
      },
    ]);
  });

  const silence = (over: string) =>
    `guards:\n  silences:\n    - {id: a, author: x, reason: r, starts_at: 2026-01-01T00:00:00Z, ends_at: 2026-01-02T00:00:00Z, ${over}}`;
  const window = (text: string) => `guards:\n  maintenance:\n    - {name: w, reason: r, ${text}}`;
  const EITHER =
    "helius.yml:3:7: guards.maintenance[0] must have either from and to (with days and timezone, if wanted), or starts_at and ends_at";

  it.each<[string, string, string]>([
    [
      "an unknown key",
      "guards: {storn: {}}",
      "helius.yml:1:10: guards.storn is not a known key; did you mean storm?",
    ],
    [
      "a cap of none",
      "guards: {fleet_cap: {actions: 0}}",
      "helius.yml:1:22: guards.fleet_cap.actions must be a whole number from 1 up to 10000 (actions)",
    ],
    [
      "an exit above the entry",
      "guards: {storm: {exit_share: 0.15, share: 0.1}}",
      "helius.yml:1:18: guards.storm.exit_share must not be above guards.storm.share: exit_share 0.15, share 0.1",
    ],
    ["half a window", window("from: '10:00'"), EITHER],
    ["both kinds of window", window("from: '10:00', to: '11:00', starts_at: 2026-01-01T00:00:00Z"), EITHER],
    ["no hours at all", window("days: [mon]"), EITHER],
    [
      "a window without length",
      window("from: '10:00', to: '10:00'"),
      'helius.yml:3:43: guards.maintenance[0].to must differ from `from`; for a whole day: from "00:00" to "24:00"',
    ],
    [
      "an hour that is none",
      window("from: '25:00', to: '10:00'"),
      'helius.yml:3:28: guards.maintenance[0].from must be a time of day, e.g. "22:00"',
    ],
    [
      "an unknown zone",
      window("from: '22:00', to: '10:00', timezone: Mars/Olympus"),
      "helius.yml:3:56: guards.maintenance[0].timezone must be the IANA name of a time zone, e.g. Europe/Lisbon",
    ],
    [
      "an unknown day",
      window("from: '22:00', to: '10:00', days: [monday]"),
      "helius.yml:3:63: guards.maintenance[0].days[0] must be sun, mon, tue, wed, thu, fri, sat",
    ],
    [
      "a time without a zone",
      silence("ends_at: 1")
        .replace("ends_at: 2026-01-02T00:00:00Z, ", "")
        .replace("ends_at: 1", "ends_at: 2026-01-02T00:00:00"),
      "helius.yml:3:70: guards.silences[0].ends_at must be a time with its zone, e.g. 2026-11-21T14:00:00Z or 2026-11-21T11:00:00-03:00",
    ],
    [
      "a silence that ends before it begins",
      silence("target: a").replace("2026-01-02", "2025-01-02"),
      "helius.yml:3:70: guards.silences[0].ends_at must be after starts_at",
    ],
    [
      "a silence for ever",
      silence("target: a").replace("2026-01-02", "2036-01-02"),
      "helius.yml:3:70: guards.silences[0].ends_at must be at most 90 days after starts_at; renew it if it is still wanted",
    ],
    [
      "a pattern that is none",
      silence("target: 'a b'"),
      "helius.yml:3:101: guards.silences[0].target must be 1 to 200 letters, digits, dots, dashes, slashes, colons, underscores, and * for any run of characters",
    ],
    [
      "a verdict on too little",
      "verification: {min_samples: 1}",
      "helius.yml:1:16: verification.min_samples must be a whole number from 3 up to 100 (samples)",
    ],
    [
      "an Alertmanager that is no URL",
      "notify: {alertmanager: {url: alertmanager:9093}}",
      "helius.yml:1:25: notify.alertmanager.url must be an http:// or https:// URL without user, query or fragment",
    ],
  ])("refuse %s with its place and what would be right", (_what, yaml, problem) => {
    expect(problems(yaml)).toEqual([problem]);
  });

  it("refuse two of one name", () => {
    const one = "{name: w, reason: r, from: '10:00', to: '11:00'}";
    expect(problems(`guards:\n  maintenance:\n    - ${one}\n    - ${one}`)).toEqual([
      'helius.yml:4:8: guards.maintenance[1].name "w" is taken; each must be unique',
    ]);
    const s = silence("target: a").split("- ")[1];
    expect(problems(`guards:\n  silences:\n    - ${s}\n    - ${s}`)).toEqual([
      'helius.yml:4:8: guards.silences[1].id "a" is taken; each must be unique',
    ]);
  });
});
