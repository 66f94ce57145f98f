import { expect, it } from "vitest";
import { loadConfig } from "../config/load.ts";
import { kindsInUse, pluginMetrics, pluginsBySection } from "./plugins.ts";

it("kinds in use are those of the configuration", () => {
  const flags = { "sources.order": "scrape", "store.kind": "memory" };
  const config = loadConfig({ file: undefined, env: {}, flags });
  const [target, ...others] = config.targets;
  if (target === undefined) throw new Error("there is no target");
  const watched = { ...target, signals: target.signals.filter(({ name }) => name === "memory") };
  const used = kindsInUse({ ...config, targets: [watched, ...others] }, ["alertmanager"]);
  expect(used).toMatchObject({
    signals: ["memory"],
    sources: ["scrape"],
    store: ["memory"],
    notify: ["alertmanager"],
  });
  expect(used.actions).toContain("rollout-restart");
  expect(used.guards).toContain("storm_hold");
});

it("no two plug-ins of a section share a kind, none of all a metric", () => {
  for (const plugins of Object.values(pluginsBySection)) {
    const kinds = plugins.map(({ kind }) => kind);
    expect(new Set(kinds).size).toBe(kinds.length);
  }
  const names = pluginMetrics.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
