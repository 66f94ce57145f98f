import { type DashboardBuilder, RowBuilder } from "@grafana/grafana-foundation-sdk/dashboard";
import type { Sized } from "./panels.ts";

/** Width of the page in units of the grid. */
const PAGE = 24;

export interface Row {
  /** Its own on the dashboard, for good: panels are numbered by it. */
  readonly number: number;
  readonly title: string;
  /** Variable of which the row is repeated for each value. */
  readonly repeat?: string;
  readonly panels: readonly Sized[];
}

/**
 * Puts rows and their panels on the page, from left to right and from top to bottom. Panels are numbered by the
 * number of their row (the second panel of row 3 is 302), so that links to them outlast changes elsewhere.
 */
export function addRows(dashboard: DashboardBuilder, rows: readonly Row[]): DashboardBuilder {
  let y = 0;
  for (const row of rows) {
    const number = 100 * row.number;
    const heading = new RowBuilder(row.title).id(number).gridPos({ x: 0, y, w: PAGE, h: 1 });
    if (row.repeat !== undefined) heading.repeat(row.repeat);
    dashboard.withRow(heading);
    y += 1;
    let x = 0;
    let height = 0;
    row.panels.forEach(({ panel, size: [w, h] }, n) => {
      if (x + w > PAGE) {
        x = 0;
        y += height;
        height = 0;
      }
      dashboard.withPanel(panel.id(number + n + 1).gridPos({ x, y, w, h }));
      x += w;
      height = Math.max(height, h);
    });
    y += height;
  }
  return dashboard;
}
