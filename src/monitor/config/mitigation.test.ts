import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { healedBy } from "../kernel/containment.ts";
import { ConfigError } from "./errors.ts";
import { loadConfig } from "./load.ts";
import type { Config } from "./types.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-mitigation-"));
afterAll(() => rmSync(folder, { recursive: true }));
const FILE = join(folder, "helius.yml");

function load(yaml: string, env: Record<string, string> = {}): Config {
  writeFileSync(FILE, yaml);
  return loadConfig({ file: FILE, env, flags: {} });
}

function problems(yaml: string): string[] {
  try {
    load(yaml);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n").map((line) => line.replace(`${FILE}:`, ""));
  }
  throw new Error("the configuration was accepted");
}

const SHOP = (mitigate: string, more = "") =>
  `targets: [{ name: shop, url: "http://shop:1"${mitigate === "" ? "" : `, mitigate: ${mitigate}`}${more} }]\n`;
const CALLS = `actions:
  http:
    - { name: restart-it, url: "http://ops/restart?who={{target}}" }
    - { name: drain, url: "http://lb/{{parameters.pool}}" }
    - { name: ticket, url: "http://desk/", body: '{"why":"{{alert}}"}' }
`;
const ANSWER = `playbooks:
  - name: answer
    steps: [{ action: http, on: restart-it }]
`;

const healing = (yaml: string) => {
  const { targets, playbooks } = load(yaml);
  const [target] = targets;
  if (target === undefined) throw new Error("no target");
  const { mitigation, instances } = target;
  return { mitigation, adminUrl: instances[0]?.adminUrl, words: healedBy(target, playbooks) };
};

describe("what heals a target", () => {
  it.each(["", "none"])("is nothing when it says %j, and no admin plane is known", (stated) => {
    expect(healing(SHOP(stated))).toEqual({
      mitigation: undefined,
      adminUrl: undefined,
      words: "watched only: nothing is allowed to heal it",
    });
  });

  it("is its own admin plane when it says helius, at its URL or where admin_url says", () => {
    const own = { mitigation: { action: "mitigate" }, words: "healed by its Helius admin plane" };
    expect(healing(SHOP("helius"))).toEqual({ ...own, adminUrl: "http://shop:1" });
    expect(healing(SHOP("helius", ', admin_url: "http://shop:9"'))).toEqual({
      ...own,
      adminUrl: "http://shop:9",
    });
  });

  it("is an entry of actions.http by its name: its URL gets no token", () => {
    expect(healing(SHOP("restart-it") + CALLS)).toEqual({
      mitigation: { action: "http", on: { name: "restart-it", url: "call://restart-it" } },
      adminUrl: undefined,
      words: "healed by http restart-it",
    });
  });

  it("is a playbook by its name, which then needs neither alert nor forecast", () => {
    expect(healing(SHOP("answer") + CALLS + ANSWER)).toMatchObject({
      mitigation: { playbook: "answer" },
      adminUrl: undefined,
      words: "healed by playbook answer",
    });
  });

  it("is what the file says for all, where it says nothing itself", () => {
    const both = `mitigate: helius\ntargets: [{ name: a, url: "http://a" }, { name: b, url: "http://b", mitigate: none }]\n`;
    expect(load(both).targets.map(({ mitigation }) => mitigation)).toEqual([
      { action: "mitigate" },
      undefined,
    ]);
  });

  it("of TARGET_SERVICE_BASE is its admin plane: it is the contract's demonstration", () => {
    const [target] = load("", { TARGET_SERVICE_BASE: "http://app:8000" }).targets;
    expect(target).toMatchObject({ mitigation: { action: "mitigate" } });
    expect(target?.instances[0]?.adminUrl).toBe("http://app:8000");
  });

  it("for one signal may be a playbook although it is watched only else", () => {
    const one = `playbooks: [{ name: p, forecast: { target: shop, signal: memory }, steps: [{ action: http, on: restart-it }] }]\n`;
    expect(healing(SHOP("none") + CALLS + one).words).toBe(
      "healed for memory by playbook p; else watched only: nothing is allowed to heal it",
    );
  });
});

describe("what cannot heal a target is named by its place", () => {
  it.each<[string, string, string[]]>([
    [
      "a name that nothing has",
      `${SHOP("restrat-it")}${CALLS}`,
      [
        '1:47: targets[0].mitigate must be helius, none, or the name of an entry of actions.http or of a playbook, not "restrat-it"; did you mean restart-it?',
      ],
    ],
    [
      "the same for all",
      `mitigate: hellius\n${SHOP("")}`,
      [
        '1:1: mitigate must be helius, none, or the name of an entry of actions.http or of a playbook, not "hellius"; did you mean helius?',
      ],
    ],
    [
      "a call that needs parameters",
      SHOP("drain") + CALLS,
      ['1:47: targets[0].mitigate "drain" needs pool: name a playbook whose step gives them'],
    ],
    [
      "a call that needs an alert",
      SHOP("ticket") + CALLS,
      [
        '1:47: targets[0].mitigate "ticket" needs {{alert}}, which a forecast does not have: name an action without it',
      ],
    ],
    [
      "a name of two things",
      `${SHOP("restart-it")}${CALLS}playbooks: [{ name: restart-it, steps: [{ action: http, on: restart-it }] }]\n`,
      [
        '1:47: targets[0].mitigate "restart-it" is an action and a playbook: give one of them another name',
        "7:13: playbooks[0] must have an alert or a forecast that it answers, or be the mitigate of a target",
      ],
    ],
    [
      "a playbook of two targets",
      `mitigate: answer\ntargets: [{ name: a, url: "http://a" }, { name: b, url: "http://b" }]\n${CALLS}${ANSWER}`,
      ["9:5: playbooks[0].name is the mitigate of a and b; a playbook heals one target"],
    ],
    [
      "an admin plane of what is no Helius service",
      SHOP("none", ', admin_url: "http://shop:9"'),
      ["1:63: targets[0].admin_url is the admin plane of a Helius service: say mitigate: helius"],
    ],
    [
      "a Helius call on what is not stated to be one",
      `${SHOP("")}playbooks: [{ name: p, alert: { name: A }, steps: [{ action: mitigate, on: shop }] }]\n`,
      [
        '2:72: playbooks[0].steps[0].on "shop" must say mitigate: helius, since mitigate is a call of the Helius admin plane',
      ],
    ],
    [
      "a playbook for forecasts whose call needs an alert",
      `${SHOP("")}${CALLS}playbooks: [{ name: p, forecast: { target: shop, signal: memory }, steps: [{ action: http, on: ticket }] }]\n`,
      [
        '7:92: playbooks[0].steps[0].on "ticket" needs {{alert}}, which a forecast does not have: name an action without it, or answer alerts only',
      ],
    ],
  ])("%s", (_name, yaml, expected) => {
    expect(problems(yaml)).toEqual(expected);
  });
});

it("a file that lists no targets watches nothing: it says so", () => {
  for (const yaml of ["", "cycle_interval_seconds: 5\n"])
    expect(problems(yaml)).toEqual([
      "1:1: targets must list at least one target: {name: …, url: …}, or set the variable TARGET_SERVICE_BASE",
    ]);
  // Without any file the contract's own demonstration is watched.
  expect(loadConfig({ file: undefined, env: {}, flags: {} }).targets[0]?.instances[0]?.url).toBe(
    "http://app:8000",
  );
});
