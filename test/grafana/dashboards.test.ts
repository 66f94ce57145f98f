import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as units from "@grafana/grafana-foundation-sdk/units";
import { parser as promql } from "@prometheus-io/lezer-promql";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { dashboards, folder } from "../../grafana/dashboards/index.ts";
import { inRepository, readRepository } from "../containers/compose.ts";
import { built, filledIn, panelsOf, queriesOf, valuesOf } from "./dashboard.ts";
import { evaluate } from "./logql.ts";

const all = [...built.entries()];

test("what is committed is what the sources build", () => {
  expect(globSync("*", { cwd: folder }).sort()).toEqual([...dashboards().keys()].sort());
  for (const [name, text] of dashboards())
    expect(readFileSync(join(folder, name), "utf8") === text, `${name}: run npm run dashboards`).toBe(true);
});

test("the contract's panels are there under their titles, from their data source", () => {
  const dashboard = built.get("predictive-selfheal");
  const source = (title: string) =>
    panelsOf(dashboard as never)
      .filter((p) => p.title === title)
      .map((p) => p.datasource?.type);
  for (const title of [
    ...[
      "Mitigações Automáticas",
      "Mitigações Manuais",
      "Última Auto",
      "Última Manual",
      "Previsões Executadas",
    ],
    ...["Logs: Auto", "Logs: Manual", "Logs: Prediction"],
  ])
    expect(source(title), title).toEqual(["loki"]);
  for (const title of ["P95 (ms)", "Error %", "Req/s", "Latência & Tráfego"])
    expect(source(title), title).toEqual(["prometheus"]);
  const rows = dashboard?.panels.filter((p) => p.type === "row").map((p) => p.title);
  expect(rows).toContain("Logs: Auto / Manual / Prediction");
});

test("shadow mode never counts as automatic", () => {
  for (const [, dashboard] of all)
    for (const { where, expr } of queriesOf(dashboard))
      if (expr.includes('"mitigation executed"')) expect(expr, where).toContain('| mode="auto"');
});

describe.each(all)("%s", (uid, dashboard) => {
  const panels = panelsOf(dashboard);

  test("has its own uid, is read-only, and starts without stored ids of its own", () => {
    expect(dashboard.uid).toBe(uid);
    expect(dashboard.title).toBe(uid);
    expect(dashboard.editable).toBe(false);
    expect(dashboard).not.toHaveProperty("id");
    expect(dashboard.schemaVersion).toBeGreaterThan(36);
    for (const { url } of dashboard.links) expect([...built.keys()]).toContain(url.replace("/d/", ""));
  });

  test("numbers every panel once and puts none on another, nor beyond the page", () => {
    const placed = dashboard.panels.flatMap((p) => [p, ...(p.panels ?? [])]);
    const ids = placed.map((p) => p.id);
    expect(new Set(ids).size).toBe(ids.length);
    const taken = new Map<string, string>();
    for (const { title, gridPos } of placed) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      expect(Math.min(gridPos.w, gridPos.h), title).toBeGreaterThan(0);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x},${y}`), `${title} lies on`).toBeUndefined();
          taken.set(`${x},${y}`, title);
        }
    }
    const bottom = Math.max(...placed.map((p) => p.gridPos.y + p.gridPos.h));
    // No holes between rows either: every line of the grid has something on it.
    for (let y = 0; y < bottom; y++) expect(taken.has(`0,${y}`), `line ${y}`).toBe(true);
    expect(new Set(panels.map((p) => p.title)).size).toBe(panels.length);
  });

  test.each(panels.map((p) => [p.title, p] as const))(
    "%s says what it shows, of what, in which unit",
    (_, panel) => {
      expect(panel.description?.length ?? 0).toBeGreaterThan(15);
      expect(panel.description).toMatch(/[.:)]$/);
      expect(panel.targets?.length).toBeGreaterThan(0);
      const known = new Set(provisionedSources());
      for (const target of panel.targets ?? []) {
        expect(known).toContain(`${target.datasource.type}/${target.datasource.uid}`);
        expect(target.datasource).toEqual(panel.datasource);
      }
      const refs = (panel.targets ?? []).map((t) => t.refId);
      expect(new Set(refs).size).toBe(refs.length);
      const { unit, noValue, mappings } = panel.fieldConfig?.defaults ?? {};
      if (panel.type === "logs") return;
      if (panel.type === "state-timeline") {
        for (const { text } of Object.values(mappings?.[0]?.options ?? {})) expect(text).toMatch(/\S/);
        expect(Object.keys(mappings?.[0]?.options ?? {}).length).toBeGreaterThan(1);
      } else expect(Object.values(units)).toContain(unit);
      // A number that is not there has a word in its place; plots say "No data" themselves.
      if (["stat", "bargauge", "table", "state-timeline"].includes(panel.type)) expect(noValue).toMatch(/\S/);
    },
  );

  test("tells lines apart by more than their colour", () => {
    for (const panel of panels) {
      const styles = (panel.fieldConfig?.overrides ?? [])
        .filter((o) => o.properties.some((p) => p.id === "color"))
        .map((o) =>
          JSON.stringify(
            o.properties
              .filter((p) => ["custom.lineStyle", "custom.lineWidth"].includes(p.id))
              .map((p) => p.value),
          ),
        );
      if (styles.length > 1) expect(new Set(styles).size, panel.title).toBeGreaterThan(1);
    }
  });

  test("names in its lines and columns only what its queries give", () => {
    for (const panel of panels)
      for (const { matcher } of panel.fieldConfig?.overrides ?? []) {
        const names = (panel.targets ?? []).map((t) => t.legendFormat ?? "");
        const fits = (name: string) =>
          matcher.id === "byName"
            ? name === matcher.options
            : new RegExp(matcher.options.slice(1, -1)).test(
                name.replaceAll(/\{\{\w+\}\}/g, sampleName(matcher.options)),
              );
        expect(names.some(fits), `${panel.title}: ${matcher.options} among ${names}`).toBe(true);
      }
  });

  test("has only queries that are PromQL or LogQL, whatever is chosen", () => {
    for (const choice of ["opened", "all"] as const)
      for (const { where, type, expr } of queriesOf(dashboard)) {
        const query = filledIn(expr, {
          values: valuesOf(dashboard, choice),
          range: "1h",
          rateInterval: "1m",
        });
        if (type === "loki") expect(() => evaluate(query, [], 0), where).not.toThrow();
        else expect(promqlErrors(query), `${where}: ${query}`).toEqual([]);
      }
  });

  test("uses every variable that it offers", () => {
    const used = JSON.stringify(panels.map((p) => p.targets));
    for (const { name, allValue } of dashboard.templating.list) {
      expect(used, name).toContain(`$${name}`);
      // Loki takes no selector that fits an empty value.
      expect(new RegExp(`^(?:${allValue})$`).test("")).toBe(false);
    }
  });
});

/** A value that a label may have, so that a pattern over legends can be tried. */
function sampleName(pattern: string): string {
  return /(\w+)\W*$/.exec(pattern.replaceAll(/[/$^()]/g, " ").trim())?.[1] ?? "x";
}

function promqlErrors(query: string): string[] {
  const errors: string[] = [];
  promql.parse(query).iterate({
    enter(node) {
      if (node.type.isError) errors.push(`at character ${node.from + 1}`);
    },
  });
  return errors;
}

function provisionedSources(): string[] {
  const file = parse(readRepository("grafana/provisioning/datasources/helius.yml")) as {
    datasources: { type: string; uid: string }[];
  };
  return file.datasources.map((d) => `${d.type}/${d.uid}`);
}

test("the data sources ask the programs of the stand, and rates are over four scrapes", () => {
  const { datasources } = parse(readRepository("grafana/provisioning/datasources/helius.yml")) as {
    datasources: { uid: string; url: string; editable: boolean; jsonData: { timeInterval?: string } }[];
  };
  expect(new Set(datasources.map((d) => d.uid)).size).toBe(datasources.length);
  for (const { editable } of datasources) expect(editable).toBe(false);
  const scraped = parse(readRepository("prometheus/prometheus.yml")) as {
    global: { scrape_interval: string };
  };
  expect(datasources.find((d) => d.uid === "prometheus")?.jsonData.timeInterval).toBe(
    scraped.global.scrape_interval,
  );
});

test("the provider reads the folder that the dashboards are written to", () => {
  const { providers } = parse(readRepository("grafana/provisioning/dashboards/helius.yml")) as {
    providers: { options: { path: string }; allowUiUpdates: boolean; folder: string }[];
  };
  expect(providers).toHaveLength(1);
  expect(providers[0]).toMatchObject({ allowUiUpdates: false, folder: "Helius" });
  const inside = providers[0]?.options.path.replace("/etc/grafana/", "grafana/") ?? "";
  expect(inRepository(inside)).toBe(folder);
});

test("docs/dashboards.md has every row of every dashboard, and no other", () => {
  const text = readRepository("docs/dashboards.md");
  for (const [uid, dashboard] of all) {
    const section = text.slice(text.indexOf(`\n## ${uid}`)).split(/\n## /)[1] ?? "";
    const listed = [...section.matchAll(/^\| `([^`]+)`/gm)].map((m) => m[1]);
    expect(listed, uid).toEqual(dashboard.panels.filter((p) => p.type === "row").map((p) => p.title));
  }
});

test("the judges can say no", () => {
  expect(promqlErrors("sum by (a) (b{c=})")).not.toEqual([]);
  expect(promqlErrors("sum by (a) (b)")).toEqual([]);
  expect(() => filledIn("$nobody", { values: {}, range: "1h", rateInterval: "1m" })).toThrow(
    "no variable nobody",
  );
});
