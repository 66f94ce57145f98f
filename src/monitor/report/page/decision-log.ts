import type { TickReport } from "../../cycle/types.ts";
import { type Decision, namedVerdict } from "../../kernel/decision.ts";
import { seriesKey } from "../../kernel/target.ts";
import type { PlaybookDecision } from "../../playbooks/decide.ts";
import { explain } from "../../rules/explain.ts";
import { figure, iso, isoOrNull } from "../json.ts";

/**
 * What a decision came to, the most urgent first. `acting`: an action was asked for, and no guard blocked it; `blocked`:
 * one was asked for, something blocked it; `at_risk`: in risk, no reason to act yet; `no_data`: no usable data; `ok`:
 * nothing is wrong.
 */
export const STATES = ["acting", "blocked", "at_risk", "no_data", "ok"] as const;
export type State = (typeof STATES)[number];

export function stateOf(d: Pick<Decision, "act" | "reason" | "trigger" | "inRisk">): State {
  if (d.act) return "acting";
  if (d.reason.startsWith("data_")) return "no_data";
  if (d.trigger !== undefined) return "blocked";
  return d.inRisk ? "at_risk" : "ok";
}

/** One decision for as long as it stayed the same. */
interface Entry {
  readonly id: number;
  readonly key: string;
  readonly state: State;
  readonly target: string;
  /** Empty for a playbook that an alert asked for. */
  readonly signal: string;
  readonly playbook: string | undefined;
  readonly reason: string;
  readonly sinceMs: number;
  endedMs: number | undefined;
  cycles: number;
  newest: Shown;
}

/** What changes from cycle to cycle while the reason stays. */
interface Shown {
  readonly detail: string | (() => string);
  readonly untilMs: number | undefined;
  readonly trigger: string | undefined;
  readonly current: number | undefined;
  readonly probability: number | undefined;
}

export interface DecisionQuery {
  readonly target?: string | undefined;
  readonly signal?: string | undefined;
  readonly reason?: string | undefined;
  readonly states?: readonly State[] | undefined;
  /** Only entries with a smaller id: the next page. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Entries that are kept: what is calm must not push out what is not. */
const MAX_NOTABLE = 4000;
const MAX_OK = 2000;

/** Decisions as they change, bounded, newest first when asked. */
export class DecisionLog {
  /** Ascending by id. */
  readonly #notable: Entry[] = [];
  readonly #ok: Entry[] = [];
  readonly #open = new Map<string, Entry>();
  #nextId = 1;

  record(report: Pick<TickReport, "at" | "decisions" | "playbooks">): void {
    const nowMs = report.at.wallMs;
    const seen = new Set<string>();
    for (const d of report.decisions) {
      const key = seriesKey(d.target, d.signal);
      seen.add(key);
      this.#note({ ...ofSeries(d), key }, nowMs);
    }
    for (const p of report.playbooks) {
      const key = `playbook ${p.playbook}`;
      seen.add(key);
      this.#note({ ...ofPlaybook(p), key }, nowMs);
    }
    for (const [key, entry] of this.#open) if (!seen.has(key)) this.#close(entry, nowMs);
  }

  /** Newest first; `more` when there are older ones that fit. */
  find(query: DecisionQuery): { readonly decisions: LoggedDecision[]; readonly more: boolean } {
    const { target, signal, reason, states, before = Number.POSITIVE_INFINITY, limit } = query;
    const found: Entry[] = [];
    for (const entry of this.#newestFirst()) {
      const fits =
        entry.id < before &&
        (target === undefined || entry.target === target) &&
        (signal === undefined || entry.signal === signal) &&
        (reason === undefined || entry.reason === reason) &&
        (states === undefined || states.includes(entry.state));
      if (!fits) continue;
      if (found.length === limit) return { decisions: found.map(fields), more: true };
      found.push(entry);
    }
    return { decisions: found.map(fields), more: false };
  }

  #note(noted: Noted, nowMs: number): void {
    const { key, state, target, signal, playbook, reason, shown } = noted;
    const open = this.#open.get(key);
    if (open !== undefined && open.reason === reason && open.state === state && open.target === target) {
      open.cycles += 1;
      open.newest = shown;
      return;
    }
    if (open !== undefined) this.#close(open, nowMs);
    const entry: Entry = {
      ...{ id: this.#nextId++, key, state, target, signal, playbook, reason },
      ...{ sinceMs: nowMs, endedMs: undefined, cycles: 1, newest: shown },
    };
    this.#open.set(key, entry);
    const [list, max] = state === "ok" ? [this.#ok, MAX_OK] : [this.#notable, MAX_NOTABLE];
    list.push(entry);
    // In larger pieces: shifting a long list by one each time costs more than it gives.
    if (list.length > max + 200) list.splice(0, 200);
  }

  #close(entry: Entry, nowMs: number): void {
    entry.endedMs = nowMs;
    // The words stay, the decision with all its numbers goes.
    const { detail } = entry.newest;
    entry.newest = { ...entry.newest, detail: typeof detail === "string" ? detail : detail() };
    this.#open.delete(entry.key);
  }

  *#newestFirst(): Generator<Entry> {
    let [i, j] = [this.#notable.length - 1, this.#ok.length - 1];
    while (i >= 0 || j >= 0) {
      const [a, b] = [this.#notable[i], this.#ok[j]];
      if (b === undefined || (a !== undefined && a.id > b.id)) {
        i -= 1;
        yield a as Entry;
      } else {
        j -= 1;
        yield b;
      }
    }
  }
}

interface Noted extends Pick<Entry, "key" | "state" | "target" | "signal" | "playbook" | "reason"> {
  readonly shown: Shown;
}

function ofSeries(d: Decision): Omit<Noted, "key"> {
  const verdict = namedVerdict(d);
  return {
    state: stateOf(d),
    target: d.target,
    signal: d.signal,
    playbook: undefined,
    reason: d.reason,
    shown: {
      detail: () => explain(d),
      untilMs: d.untilMs,
      trigger: d.trigger,
      current: d.current,
      probability: verdict?.forecast && verdict.probability,
    },
  };
}

function ofPlaybook(p: PlaybookDecision): Omit<Noted, "key"> {
  return {
    state: p.act ? "acting" : "blocked",
    target: p.blockedBy ?? p.forecast?.target ?? "",
    signal: p.forecast?.signal ?? "",
    playbook: p.playbook,
    reason: p.reason,
    shown: {
      detail: p.detail,
      untilMs: p.untilMs,
      trigger: p.forecast === undefined ? "alert" : undefined,
      current: undefined,
      probability: undefined,
    },
  };
}

export type LoggedDecision = ReturnType<typeof fields>;

function fields(entry: Entry) {
  const { id, state, target, cycles } = entry;
  const { detail, untilMs, trigger, current, probability } = entry.newest;
  return {
    ...{ id, state, at: iso(entry.sinceMs), ended_at: isoOrNull(entry.endedMs), cycles },
    ...{ target, metric: entry.signal, playbook: entry.playbook ?? null, decision: entry.reason },
    decision_detail: typeof detail === "string" ? detail : detail(),
    decision_until: isoOrNull(untilMs),
    ...{ trigger: trigger ?? null, current: figure(current), probability: figure(probability) },
  };
}
