/** What the page knows of the fleet, kept fresh by the monitor's events. */
export const state = {
  /** Undefined until the first answer. */
  series: undefined,
  kinds: [],
  sparks: {},
  parts: {},
  id: "",
  /** `live`, `connecting`, `polling` (too many others follow) or `lost`. */
  link: "connecting",
  /** When the newest cycle arrived, milliseconds. */
  heardMs: 0,
};

const SPARK_POINTS = 40;
const SPARK_MAX = 999;
const TIMEOUT_MS = 10_000;
/** Between two tries when the monitor does not answer, milliseconds. */
const RETRY_MS = 3000;

const listeners = new Set();
let source;
let timer;

/**
 * Tells of every change: `{cycle, rows, parts}` with the positions of series and the names of parts that changed, or
 * `{all: true}`.
 * @returns how to stop
 */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(change) {
  for (const listener of listeners) listener(change);
}

function linkIs(link) {
  if (state.link === link) return;
  state.link = link;
  tell({ cycle: false, rows: [], parts: [], link: true });
}

/** Asks the monitor. @throws Error with what it says is wrong, and `status` */
export async function ask(path, options = {}) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body.data;
  throw Object.assign(new Error(body.error ?? `the monitor answered ${answer.status}`), {
    status: answer.status,
  });
}

/** Reads the fleet, then follows it. */
export async function start() {
  clearTimeout(timer);
  source?.close();
  try {
    const fleet = await ask("api/v1/fleet");
    Object.assign(state, fleet, { heardMs: Date.now() });
    tell({ all: true });
    follow();
  } catch {
    linkIs("lost");
    timer = setTimeout(start, RETRY_MS);
  }
}

function follow() {
  source = new EventSource(`api/v1/events?after=${encodeURIComponent(state.id)}`);
  source.onopen = () => linkIs("live");
  source.addEventListener("reset", () => void start());
  source.addEventListener("delta", (event) => apply(JSON.parse(event.data), event.lastEventId));
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) {
      linkIs("lost");
      return;
    }
    // Not let in, e.g. because too many follow: ask now and then instead.
    linkIs("polling");
    timer = setTimeout(start, Math.max(RETRY_MS, 1000 * (state.parts.cycle_seconds ?? 30)));
  };
}

function apply(delta, id) {
  state.id = id;
  for (const [i, ...row] of delta.rows) if (state.series[i] !== undefined) state.series[i].row = row;
  Object.assign(state.parts, delta.parts);
  if (delta.cycle) {
    state.heardMs = Date.now();
    lengthenSparks();
  }
  tell({ cycle: delta.cycle, rows: delta.rows.map(([i]) => i), parts: Object.keys(delta.parts) });
}

function lengthenSparks() {
  const worst = new Map();
  for (const { target, slo, row } of state.series) {
    const known = worst.get(target) ?? null;
    const [current] = row;
    worst.set(target, current === null ? known : Math.max(known ?? 0, current / slo));
  }
  for (const [target, share] of worst) {
    const spark = state.sparks[target] ?? [];
    state.sparks[target] = spark;
    spark.push(share === null ? null : Math.min(SPARK_MAX, Math.round(100 * share)));
    if (spark.length > SPARK_POINTS) spark.shift();
  }
}

/** One series as an object. */
export function readRow({ target, metric, slo, limit, row }) {
  const [current, forecast, probability, rank, kind, reason, until, detail] = row;
  return {
    target,
    metric,
    slo,
    limit,
    current,
    forecast,
    probability,
    rank,
    kind: state.kinds[kind],
    reason,
    until,
    detail,
  };
}

/** The targets with all their series, the most urgent first. */
export function targets() {
  const byTarget = new Map();
  for (const series of state.series ?? []) {
    const one = readRow(series);
    const known = byTarget.get(one.target);
    if (known === undefined) byTarget.set(one.target, { name: one.target, series: [one], top: one });
    else {
      known.series.push(one);
      if ((compare(one, known.top) || share(known.top) - share(one)) < 0) known.top = one;
    }
  }
  return [...byTarget.values()].sort((a, b) => compare(a.top, b.top) || (a.name < b.name ? -1 : 1));
}

/** Most urgent first; the rank in coarse steps, so that what is calm does not change places all the time. */
function compare(a, b) {
  return state.kinds.indexOf(a.kind) - state.kinds.indexOf(b.kind) || step(b) - step(a);
}

/** Of its SLO, in steps that noise does not cross all the time. */
function share({ current, slo }) {
  return current === null ? -1 : Math.round((10 * current) / slo);
}

function step({ kind, rank }) {
  return kind === "quiet" ? 0 : Math.round(rank);
}
