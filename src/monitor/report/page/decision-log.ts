import type { TickReport } from "../../cycle/types.ts";
import type { Decision } from "../../kernel/decision.ts";
import { seriesKey } from "../../kernel/target.ts";
import type { PlaybookDecision } from "../../playbooks/decide.ts";
import { explain } from "../../rules/explain.ts";

/**
 * What a decision came to, for people who look for one kind. `acted`: it asked for an action and none held it; `held`:
 * a rule would act, something held it back; `watching`: in risk, no rule speaks yet; `blind`: no usable data; `quiet`:
 * nothing is wrong.
 */
export const DECISION_KINDS = ["acted", "held", "watching", "blind", "quiet"] as const;
export type DecisionKind = (typeof DECISION_KINDS)[number];

export function kindOf(d: Pick<Decision, "act" | "reason" | "trigger" | "inRisk">): DecisionKind {
  if (d.act) return "acted";
  if (d.reason.startsWith("data_")) return "blind";
  if (d.trigger !== undefined) return "held";
  return d.inRisk ? "watching" : "quiet";
}

/** One decision for as long as it stayed the same. */
interface Entry {
  readonly id: number;
  readonly key: string;
  readonly kind: DecisionKind;
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
  readonly kinds?: readonly DecisionKind[] | undefined;
  /** Only entries with a smaller id: the next page. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Entries that are kept: what is quiet must not push out what is not. */
const MAX_NOTABLE = 4000;
const MAX_QUIET = 2000;

/** Decisions as they change, bounded, newest first when asked. */
export class DecisionLog {
  /** Ascending by id. */
  readonly #notable: Entry[] = [];
  readonly #quiet: Entry[] = [];
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
  find(query: DecisionQuery): { readonly entries: Record<string, unknown>[]; readonly more: boolean } {
    const { target, signal, reason, kinds, before = Number.POSITIVE_INFINITY, limit } = query;
    const found: Entry[] = [];
    for (const entry of this.#newestFirst()) {
      const fits =
        entry.id < before &&
        (target === undefined || entry.target === target) &&
        (signal === undefined || entry.signal === signal) &&
        (reason === undefined || entry.reason === reason) &&
        (kinds === undefined || kinds.includes(entry.kind));
      if (!fits) continue;
      if (found.length === limit) return { entries: found.map(fields), more: true };
      found.push(entry);
    }
    return { entries: found.map(fields), more: false };
  }

  #note(noted: Noted, nowMs: number): void {
    const { key, kind, target, signal, playbook, reason, shown } = noted;
    const open = this.#open.get(key);
    if (open !== undefined && open.reason === reason && open.kind === kind && open.target === target) {
      open.cycles += 1;
      open.newest = shown;
      return;
    }
    if (open !== undefined) this.#close(open, nowMs);
    const entry: Entry = {
      ...{ id: this.#nextId++, key, kind, target, signal, playbook, reason },
      ...{ sinceMs: nowMs, endedMs: undefined, cycles: 1, newest: shown },
    };
    this.#open.set(key, entry);
    const [list, max] = kind === "quiet" ? [this.#quiet, MAX_QUIET] : [this.#notable, MAX_NOTABLE];
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
    let [i, j] = [this.#notable.length - 1, this.#quiet.length - 1];
    while (i >= 0 || j >= 0) {
      const [a, b] = [this.#notable[i], this.#quiet[j]];
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

interface Noted extends Pick<Entry, "key" | "kind" | "target" | "signal" | "playbook" | "reason"> {
  readonly shown: Shown;
}

function ofSeries(d: Decision): Omit<Noted, "key"> {
  const verdict = d.verdicts.find((v) => v.predictor === d.predictor);
  return {
    kind: kindOf(d),
    target: d.target,
    signal: d.signal,
    playbook: undefined,
    reason: d.reason,
    shown: {
      detail: () => explain(d),
      untilMs: d.untilMs,
      trigger: d.trigger,
      current: d.current,
      probability: verdict?.forecast === undefined ? undefined : verdict.probability,
    },
  };
}

function ofPlaybook(p: PlaybookDecision): Omit<Noted, "key"> {
  return {
    kind: p.act ? "acted" : "held",
    target: p.heldBy ?? p.forecast?.target ?? "",
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

function fields(entry: Entry): Record<string, unknown> {
  const { detail, untilMs, trigger, current, probability } = entry.newest;
  return {
    id: entry.id,
    kind: entry.kind,
    at: iso(entry.sinceMs),
    ended_at: entry.endedMs === undefined ? null : iso(entry.endedMs),
    cycles: entry.cycles,
    target: entry.target,
    metric: entry.signal,
    playbook: entry.playbook ?? null,
    decision: entry.reason,
    decision_detail: typeof detail === "string" ? detail : detail(),
    decision_until: untilMs === undefined || !Number.isFinite(untilMs) ? null : iso(untilMs),
    trigger: trigger ?? null,
    current: known(current),
    probability: known(probability),
  };
}

function known(value: number | undefined): number | null {
  return value === undefined || !Number.isFinite(value) ? null : Number(value.toPrecision(6));
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
