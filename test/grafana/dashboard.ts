import { dashboards } from "../../grafana/dashboards/index.ts";

interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly legendFormat?: string;
  readonly instant?: boolean;
  readonly queryType?: string;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly repeat?: string;
  readonly collapsed?: boolean;
  readonly panels?: readonly Panel[];
  readonly targets?: readonly Target[];
  readonly transformations?: readonly { readonly id: string; readonly options: unknown }[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly noValue?: string;
      readonly mappings?: readonly {
        readonly options: Readonly<Record<string, { readonly text: string }>>;
      }[];
    };
    readonly overrides: readonly {
      readonly matcher: { readonly id: string; readonly options: string };
      readonly properties: readonly { readonly id: string; readonly value: unknown }[];
    }[];
  };
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly editable: boolean;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly links: readonly { readonly url: string }[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly allValue: string;
      readonly definition: string;
      readonly current: { readonly value: readonly string[] };
      readonly query: { readonly query: string };
    }[];
  };
  readonly annotations: {
    readonly list?: readonly {
      readonly name: string;
      readonly expr: string;
      readonly target: Target;
      readonly titleFormat: string;
      readonly textFormat: string;
      readonly tagKeys: string;
    }[];
  };
}

/** The dashboards as the sources build them, by uid. */
export const built: ReadonlyMap<string, Dashboard> = new Map(
  [...dashboards().values()].map((text) => JSON.parse(text) as Dashboard).map((d) => [d.uid, d]),
);

/** Panels with queries, without the rows. */
export function panelsOf(dashboard: Dashboard): Panel[] {
  return dashboard.panels.flatMap((p) => (p.type === "row" ? (p.panels ?? []) : [p]));
}

/** A query of a dashboard, and where it stands. */
export interface Query {
  readonly where: string;
  readonly type: string;
  readonly expr: string;
  readonly instant: boolean;
}

/** Every query of a dashboard: of panels, of marks and of its variables. */
export function queriesOf(dashboard: Dashboard): Query[] {
  const panels = panelsOf(dashboard).flatMap((p) =>
    (p.targets ?? []).map((t) => ({
      where: `${dashboard.uid} / ${p.title} / ${t.refId}`,
      type: t.datasource.type,
      expr: t.expr,
      instant: t.instant === true || t.queryType === "instant",
    })),
  );
  const marks = (dashboard.annotations.list ?? []).map((a) => ({
    where: `${dashboard.uid} / mark ${a.name}`,
    type: a.target.datasource.type,
    expr: a.target.expr,
    instant: false,
  }));
  const variables = dashboard.templating.list.map((v) => ({
    where: `${dashboard.uid} / variable ${v.name}`,
    type: "prometheus",
    // label_values(SELECTOR, LABEL) asks for the series of the selector.
    expr: /^label_values\((.+), (\w+)\)$/.exec(v.query.query)?.[1] ?? v.query.query,
    instant: true,
  }));
  return [...panels, ...marks, ...variables];
}

/** A query as Grafana sends it: with the chosen values and the times in place of its variables. */
export function filledIn(
  expr: string,
  options: {
    readonly values: Readonly<Record<string, string>>;
    readonly range: string;
    readonly rateInterval: string;
  },
): string {
  return expr.replaceAll(/\$(__range|__rate_interval|\w+)/g, (_, name: string) => {
    if (name === "__range") return options.range;
    if (name === "__rate_interval") return options.rateInterval;
    const value = options.values[name];
    if (value === undefined) throw new Error(`no variable ${name}: ${expr}`);
    return value;
  });
}

/** What a dashboard's variables stand for when it is opened, or with everything chosen. */
export function valuesOf(dashboard: Dashboard, choice: "opened" | "all"): Record<string, string> {
  return Object.fromEntries(
    dashboard.templating.list.map((v) => {
      const [first = "$__all"] = v.current.value;
      return [v.name, choice === "all" || first === "$__all" ? v.allValue : first];
    }),
  );
}
