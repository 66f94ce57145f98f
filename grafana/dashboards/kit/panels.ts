import { PanelBuilder as BarChart } from "@grafana/grafana-foundation-sdk/barchart";
import { PanelBuilder as BarGauge } from "@grafana/grafana-foundation-sdk/bargauge";
import type { Builder, Dataquery } from "@grafana/grafana-foundation-sdk/cog";
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  type DataSourceRef,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  LogsSortOrder,
  ReduceDataOptionsBuilder,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import type { DynamicConfigValue, GridPos, Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as Logs } from "@grafana/grafana-foundation-sdk/logs";
import { PanelBuilder as Stat } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as StateTimeline } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as Table } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeSeries } from "@grafana/grafana-foundation-sdk/timeseries";
import type { Query } from "./queries.ts";
import { BLUE, type States, thresholds, words } from "./styles.ts";

/** What every kind of panel has. */
interface PanelFacts {
  readonly title: string;
  /** What it shows and how to read it, for a person who sees it for the first time. */
  readonly description: string;
  readonly queries: readonly Query[];
  /** Width in 24ths of the page and height in rows of the grid. */
  readonly size: readonly [width: number, height: number];
}

interface NumberFacts extends PanelFacts {
  /** A unit of Grafana's: `ms`, `percentunit`, `bytes`, `short`. */
  readonly unit: string;
  readonly decimals?: number;
}

/** A panel that the layout gives its number and its place. */
interface Placeable extends Builder<Panel> {
  id(id: number): this;
  gridPos(place: GridPos): this;
}

export interface Sized {
  readonly panel: Placeable;
  readonly size: readonly [width: number, height: number];
}

interface Dressable extends Placeable {
  title(text: string): this;
  description(text: string): this;
  datasource(ref: DataSourceRef): this;
  withTarget(target: Builder<Dataquery>): this;
}

function dress<T extends Dressable>(panel: T, facts: PanelFacts): T {
  const [first] = facts.queries;
  if (first === undefined) throw new Error(`${facts.title}: a panel needs a query`);
  panel.title(facts.title).description(facts.description).datasource(first.source);
  facts.queries.forEach((query, k) => {
    panel.withTarget(query.builder(String.fromCharCode("A".charCodeAt(0) + k)));
  });
  return panel;
}

/** One number, large. `noValue` is what stands there while nothing has happened. */
export function stat(
  facts: NumberFacts & {
    readonly noValue: string;
    /** A small curve below the number; needs queries over the range. */
    readonly curve?: boolean;
    /** From this value on it is red. */
    readonly redFrom?: number;
    readonly states?: States;
    /** Several numbers, each with its name. */
    readonly named?: boolean;
  },
): Sized {
  const panel = dress(new Stat(), facts)
    .unit(facts.unit)
    .noValue(facts.noValue)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]).values(false).fields(""))
    .graphMode(facts.curve === true ? BigValueGraphMode.Area : BigValueGraphMode.None)
    .textMode(facts.named === true ? BigValueTextMode.ValueAndName : BigValueTextMode.Auto)
    .colorMode(BigValueColorMode.Value)
    .thresholds(facts.redFrom === undefined ? thresholds(BLUE) : thresholds(BLUE, [facts.redFrom, "red"]));
  if (facts.decimals !== undefined) panel.decimals(facts.decimals);
  if (facts.states !== undefined) panel.mappings(words(facts.states));
  return { panel, size: facts.size };
}

/** Lines in time, or bars that stack. */
export function timeSeries(
  facts: NumberFacts & {
    readonly draw?: "lines" | "steps" | "bars";
    readonly min?: number;
    readonly max?: number;
    /** Small values stay visible beside large ones. */
    readonly logFrom?: number;
    /** Dashed lines across the plot, with the colour above each. */
    readonly marks?: readonly (readonly [value: number, color: string])[];
    /** How single lines are drawn, by name or by `/pattern/`. */
    readonly lines?: Readonly<Record<string, DynamicConfigValue[]>>;
    readonly legend?: "list" | "table";
  },
): Sized {
  const { draw = "lines", lines = {} } = facts;
  const panel = dress(new TimeSeries(), facts)
    .unit(facts.unit)
    .axisSoftMin(0)
    .lineWidth(1)
    .fillOpacity(draw === "bars" ? 70 : 0)
    .showPoints(VisibilityMode.Never)
    .drawStyle(draw === "bars" ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .legend(legend(facts.legend ?? "list"));
  if (draw === "bars") panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group("A"));
  if (draw === "steps") panel.lineInterpolation(LineInterpolation.StepAfter);
  if (facts.decimals !== undefined) panel.decimals(facts.decimals);
  if (facts.min !== undefined) panel.min(facts.min);
  if (facts.max !== undefined) panel.max(facts.max);
  if (facts.logFrom !== undefined)
    panel.scaleDistribution(
      new ScaleDistributionConfigBuilder()
        .type(ScaleDistribution.Symlog)
        .log(10)
        .linearThreshold(facts.logFrom),
    );
  if (facts.marks !== undefined)
    panel
      .thresholds(thresholds("transparent", ...facts.marks))
      .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  for (const [name, properties] of Object.entries(lines)) {
    if (name.startsWith("/")) panel.overrideByRegexp(name, properties);
    else panel.overrideByName(name, properties);
  }
  return { panel, size: facts.size };
}

function legend(mode: "list" | "table"): VizLegendOptionsBuilder {
  return new VizLegendOptionsBuilder()
    .showLegend(true)
    .displayMode(mode === "table" ? LegendDisplayMode.Table : LegendDisplayMode.List)
    .placement(mode === "table" ? LegendPlacement.Right : LegendPlacement.Bottom)
    .calcs(mode === "table" ? ["lastNotNull", "max"] : []);
}

/** States in time, one band a series, each with its word. */
export function stateTimeline(facts: PanelFacts & { readonly states: States }): Sized {
  const panel = dress(new StateTimeline(), facts)
    .mappings(words(facts.states))
    .thresholds(thresholds(BLUE))
    .noValue("no data")
    .showValue(VisibilityMode.Auto)
    .mergeValues(true)
    .rowHeight(0.8)
    .fillOpacity(75)
    .lineWidth(0)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    );
  return { panel, size: facts.size };
}

/** One bar a series, with its number. */
export function barGauge(facts: NumberFacts & { readonly noValue: string; readonly max?: number }): Sized {
  const panel = dress(new BarGauge(), facts)
    .unit(facts.unit)
    .noValue(facts.noValue)
    .min(0)
    .orientation(VizOrientation.Horizontal)
    .displayMode(BarGaugeDisplayMode.Basic)
    .thresholds(thresholds(BLUE))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]).values(false).fields(""));
  if (facts.max !== undefined) panel.max(facts.max);
  if (facts.decimals !== undefined) panel.decimals(facts.decimals);
  return { panel, size: facts.size };
}

/** Groups of bars side by side, one group a value of `by`. The queries are tables that are joined by it. */
export function comparedBars(
  facts: NumberFacts & {
    /** The label that the queries have in common; numbers. */
    readonly by: string;
    /** Names of the queries' values, in their order. */
    readonly names: readonly string[];
    readonly max?: number;
  },
): Sized {
  const panel = dress(new BarChart(), facts)
    .unit(facts.unit)
    .min(0)
    .xField(facts.by)
    .showValue(VisibilityMode.Never)
    .stacking(StackingMode.None)
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.None))
    .legend(legend("list"))
    .transformations([
      { id: "joinByField", options: { byField: facts.by, mode: "outer" } },
      {
        id: "organize",
        options: {
          // After the join the values are named after their queries, and each query has brought its own time.
          excludeByName: {
            Time: true,
            ...Object.fromEntries(facts.names.map((_, k) => [`Time ${k + 1}`, true])),
          },
          renameByName: Object.fromEntries(
            facts.names.map((name, k) => [`Value #${String.fromCharCode("A".charCodeAt(0) + k)}`, name]),
          ),
        },
      },
      {
        id: "convertFieldType",
        options: { conversions: [{ targetField: facts.by, destinationType: "number" }] },
      },
      { id: "sortBy", options: { sort: [{ field: facts.by }] } },
      {
        id: "convertFieldType",
        options: { conversions: [{ targetField: facts.by, destinationType: "string" }] },
      },
    ]);
  if (facts.max !== undefined) panel.max(facts.max);
  return { panel, size: facts.size };
}

/** Rows and columns; the query gives one row a series. */
export function table(facts: NumberFacts & { readonly noValue: string; readonly valueName: string }): Sized {
  const panel = dress(new Table(), facts)
    .unit(facts.unit)
    .noValue(facts.noValue)
    .showHeader(true)
    .filterable(true)
    .transformations([
      {
        id: "organize",
        options: { excludeByName: { Time: true }, renameByName: { Value: facts.valueName } },
      },
    ]);
  if (facts.decimals !== undefined) panel.decimals(facts.decimals);
  return { panel, size: facts.size };
}

/** Log lines, newest first. */
export function logs(facts: PanelFacts): Sized {
  const panel = dress(new Logs(), facts)
    .showTime(true)
    .showLabels(false)
    .showCommonLabels(false)
    .wrapLogMessage(true)
    .prettifyLogMessage(false)
    .enableLogDetails(true)
    .sortOrder(LogsSortOrder.Descending);
  return { panel, size: facts.size };
}
