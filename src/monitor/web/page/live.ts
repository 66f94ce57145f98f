import type { Delta, Fleet, Overview, Row } from "../../report/wire.ts";
import { type Child, fill, h } from "./dom.ts";
import { urgency } from "./format.ts";

/** What the page knows, kept fresh by the monitor's events. */
export const state: {
  /** Undefined until the first answer. */
  fleet: Fleet | undefined;
  /** `polling`: too many others follow the events. */
  link: "connecting" | "live" | "polling" | "lost";
} = { fleet: undefined, link: "connecting" };

/** Whether a part of the status has changed, any row, or a cycle has ended. */
export type Has = (part: Part) => boolean;
type Part = keyof Overview | "rows" | "cycle";
type Listener = (has: Has) => void;

/** What an address leads to. */
export interface View {
  readonly title: string;
  readonly root: HTMLElement;
  /** Told of every change, once the fleet is known, after its slots. */
  update?(fleet: Fleet, has: Has): void;
  leave?(): void;
  /** Whether it shows another address too, and need not be made anew. */
  stays?(address: string): boolean;
}

const slots = new WeakMap<Element, (fleet: Fleet, has: Has) => void>();

/** A place on a page that is written anew when one of these parts has changed. */
export function slot(parts: readonly Part[], make: (fleet: Fleet) => Child, tag = "div"): HTMLElement {
  const element = h(tag, { "data-slot": true });
  slots.set(element, (fleet, has) => {
    if (parts.some(has)) fill(element, make(fleet));
  });
  return element;
}

/** Brings a page up to date. */
export function update({ root, update: own }: View, fleet: Fleet, has: Has): void {
  for (const element of root.querySelectorAll("[data-slot]")) slots.get(element)?.(fleet, has);
  own?.(fleet, has);
}

const SPARK_POINTS = 40;
const SPARK_MAX = 999;
const TIMEOUT_MS = 10_000;
/** Between two attempts when the monitor does not answer, milliseconds. */
const RETRY_MS = 3000;

const listeners: Listener[] = [];
let source: EventSource | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

export function onChange(listener: Listener): void {
  listeners.push(listener);
}

function changed(has: Has): void {
  for (const listener of listeners) listener(has);
}

function linkIs(link: typeof state.link): void {
  if (state.link === link) return;
  state.link = link;
  changed(() => false);
}

/** What the monitor says is wrong with a call. */
export class CallError extends Error {
  readonly status: number;
  constructor(status: number, message = `the monitor answered ${status}`) {
    super(message);
    this.status = status;
  }
}

/** Asks the monitor. @throws CallError */
export async function ask<T>(path: string, options: RequestInit = {}): Promise<T> {
  const answer = await fetch(`api/v1/${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  const body = (await answer.json().catch(() => ({}))) as { data: T; error?: string };
  if (!answer.ok) throw new CallError(answer.status, body.error);
  return body.data;
}

/** Reads the fleet, then follows it. */
export async function start(): Promise<void> {
  clearTimeout(timer);
  source?.close();
  try {
    state.fleet = await ask<Fleet>("fleet");
    changed(() => true);
    follow(state.fleet);
  } catch {
    linkIs("lost");
    timer = setTimeout(start, RETRY_MS);
  }
}

function follow(fleet: Fleet): void {
  const events = new EventSource(`api/v1/events?after=${encodeURIComponent(fleet.id)}`);
  source = events;
  events.onopen = () => linkIs("live");
  events.addEventListener("reset", () => void start());
  events.addEventListener("delta", ({ data }) => apply(fleet, JSON.parse(data) as Delta));
  events.onerror = () => {
    if (events.readyState !== EventSource.CLOSED) {
      linkIs("lost");
      return;
    }
    // Refused, e.g. because too many follow: ask now and then instead.
    linkIs("polling");
    timer = setTimeout(start, Math.max(RETRY_MS, 1000 * fleet.parts.cycle_seconds));
  };
}

function apply(fleet: Fleet, { cycle, rows, parts }: Delta): void {
  for (const [i, ...row] of rows) Object.assign(fleet.series[i] ?? {}, { row });
  Object.assign(fleet.parts, parts);
  if (cycle) lengthenSparks(fleet);
  changed((part) => (part === "cycle" ? cycle : part === "rows" ? rows.length > 0 : part in parts));
}

function lengthenSparks({ sparks, ...fleet }: Fleet): void {
  for (const { name, series } of targets(fleet)) {
    const shares = series.flatMap(({ current, slo }) => (current === null ? [] : [current / slo]));
    const worst = Math.min(SPARK_MAX, Math.round(100 * Math.max(...shares)));
    sparks[name] = [...(sparks[name] ?? []), shares.length === 0 ? null : worst].slice(-SPARK_POINTS);
  }
}

/** One series now. */
export type Line = Omit<Fleet["series"][number], "row"> & Row;

export function linesOf({ series, row: names }: Pick<Fleet, "series" | "row">): Line[] {
  return series.map(({ row, ...line }) => ({
    ...line,
    ...(Object.fromEntries(names.map((name, i) => [name, row[i]])) as unknown as Row),
  }));
}

/** A target with all its series, and the most urgent of them. */
export interface Target {
  readonly name: string;
  readonly series: readonly Line[];
  readonly top: Line;
}

/** The targets, the most urgent first. */
export function targets(fleet: Pick<Fleet, "series" | "row">): Target[] {
  return [...Map.groupBy(linesOf(fleet), (line) => line.target)]
    .map(([name, series]) => ({
      name,
      series,
      top: series.reduce((top, line) => ((compare(line, top) || share(top) - share(line)) < 0 ? line : top)),
    }))
    .sort((a, b) => compare(a.top, b.top) || (a.name < b.name ? -1 : 1));
}

/** Most urgent first; the rank in coarse steps, so that what is well does not change places all the time. */
function compare(a: Line, b: Line): number {
  return urgency(b.state) - urgency(a.state) || step(b) - step(a);
}

/** Of its SLO, in steps that noise does not cross all the time. */
function share({ current, slo }: Line): number {
  return current === null ? -1 : Math.round((10 * current) / slo);
}

function step({ state: is, rank }: Line): number {
  return is === "ok" ? 0 : Math.round(rank);
}
