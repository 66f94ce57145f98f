import type { MaintenanceWindow } from "../../kernel/guards.ts";
import { type Occurrence, weeklyAt } from "./weekly.ts";

/** The stretch of a maintenance window that holds `wallMs`, if one does. Daylight saving is the time zone's. */
export function maintenanceAt(window: MaintenanceWindow, wallMs: number): Occurrence | undefined {
  const { when } = window;
  if (when.kind === "weekly") return weeklyAt(when, wallMs);
  const inside = when.startsAtMs <= wallMs && wallMs < when.endsAtMs;
  return inside ? { startMs: when.startsAtMs, endMs: when.endsAtMs } : undefined;
}
