const $ = (id) => document.getElementById(id);

const UNITS = {
  p95_latency: (v) => `${fixed(v)} ms`,
  error_rate: (v) => `${fixed(100 * v)} %`,
  memory: (v) => `${fixed(v / 1e6)} MB`,
  backlog: (v) => fixed(v),
};

function fixed(v) {
  return Math.abs(v) >= 100 ? v.toFixed(0) : v.toPrecision(3);
}

function shown(metric, v) {
  return v === null || v === undefined ? "unknown" : (UNITS[metric] ?? fixed)(v);
}

function cell(text, className) {
  const td = document.createElement("td");
  td.textContent = text;
  if (className) td.className = className;
  return td;
}

function row(cells) {
  const tr = document.createElement("tr");
  tr.append(...cells);
  return tr;
}

function stateOf(s) {
  if (s.decision.startsWith("data_")) return ["? unknown", "state-unknown"];
  if (["pre_timeout", "strong", "confirmed", "trend", "level", "envelope"].includes(s.decision))
    return ["! acting", "state-act"];
  if (s.in_risk_state) return ["▲ in risk", "state-risk"];
  return ["✓ calm", ""];
}

function seriesRow(s) {
  const [state, className] = stateOf(s);
  return row([
    cell(s.target),
    cell(s.metric),
    cell(state, className),
    cell(shown(s.metric, s.current), "n"),
    cell(shown(s.metric, s.linear_forecast), "n"),
    cell(shown(s.metric, s.trend_forecast), "n"),
    cell(shown(s.metric, s.threshold), "n"),
    cell(shown(s.metric, s.hard_limit), "n"),
    cell(s.r2 === null ? "–" : s.r2.toFixed(2), "n"),
    cell(s.probability === null ? "–" : s.probability.toFixed(2), "n"),
    cell(s.decision_detail, "why"),
    cell(s.source),
  ]);
}

function actionRow(a) {
  return row([
    cell(new Date(a.at).toLocaleTimeString()),
    cell(a.target),
    cell(a.metric),
    cell(a.trigger),
    cell(shown(a.metric, a.forecast), "n"),
    cell(shown(a.metric, a.threshold), "n"),
    cell(a.mode),
    cell(a.outcome_detail ? `${a.outcome}: ${a.outcome_detail}` : a.outcome, "why"),
  ]);
}

function qualityRow(q) {
  const percent = (v) => (v === undefined || v === null ? "–" : `${(100 * v).toFixed(0)} %`);
  const a = q.alarms;
  return row([
    cell(q.witness),
    cell(q.signal),
    cell(String(q.scored), "n"),
    cell(percent(q.mape), "n"),
    cell(
      q.nominalCoverage === undefined ? "–" : `${percent(q.coverage)} of ${percent(q.nominalCoverage)}`,
      "n",
    ),
    cell(`${a.true} / ${a.false} / ${a.late}`, "n"),
    cell(a.meanLeadS === undefined ? "–" : `${Math.round(a.meanLeadS)} s`, "n"),
    cell(`${q.judgement}: ${q.judgement_detail}`, "why"),
  ]);
}

function sourceItem(s) {
  const li = document.createElement("li");
  const bad = ["missing", "stale", "invalid", "unreachable"]
    .filter((k) => s[k] > 0)
    .map((k) => `${s[k]} ${k}`);
  li.textContent = `${s.name}: ${s.ok} usable${bad.length ? `, ${bad.join(", ")}` : ""}${s.detail ? ` — ${s.detail}` : ""}`;
  return li;
}

function show(data) {
  const cycle = data.last_cycle;
  if (cycle === null) return;
  const since = cycle.since_last_mitigation_seconds;
  const last = since === null ? "no mitigation yet" : `last mitigation ${Math.round(since)} s ago`;
  const mode = data.mode === "auto" ? "acting" : "shadow mode: deciding, never calling";
  $("summary").textContent =
    `${mode} · every ${data.cycle_seconds} s, ${data.horizon_seconds} s ahead · ${cycle.breach_any ? "a forecast is past its SLO" : "every forecast is within its SLO"} · ${last}`;
  $("series").replaceChildren(...cycle.series.map(seriesRow));
  $("actions").replaceChildren(
    ...(data.actions.length ? data.actions.map(actionRow) : [row([cell("nothing yet")])]),
  );
  $("quality").replaceChildren(...cycle.forecast_quality.map(qualityRow));
  $("sources").replaceChildren(...cycle.sources.map(sourceItem));
}

async function refresh() {
  let wait = 2000;
  try {
    const answer = await fetch("api/v1/status", { signal: AbortSignal.timeout(5000) });
    const { data } = await answer.json();
    show(data);
    wait = Math.min(10_000, Math.max(1000, 1000 * data.cycle_seconds));
  } catch {
    $("summary").textContent = "The monitor does not answer; what is below may be old.";
  }
  setTimeout(refresh, wait);
}

refresh();
