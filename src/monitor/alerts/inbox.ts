import type { AlertMatcher, AlertState, BootInstant } from "../kernel/containment.ts";

/** Alerts that are kept at once. */
const MAX_ALERTS = 1000;
/**
 * For so long after an alert was last heard of, what contradicts it by being older is late and ignored, milliseconds.
 * Later it is believed: Alertmanager repeats only what is so. (A partition between Prometheus and Alertmanager lets
 * an alert time out and then fire on with the same `startsAt`.)
 */
const LATE_MS = 600_000;
/** A firing alert unheard of for so long gives its place to another when the inbox is full, milliseconds. */
const FORGET_MS = 86_400_000;

/** Every alert the monitor was incoming of, by fingerprint: its newest episode. */
export type Inbox = ReadonlyMap<string, AlertState>;

export const EMPTY_INBOX: Inbox = new Map();

/**
 * What one incoming alert did. `fired`: a new episode; `reopened`: it fires on although it had been incoming to be over;
 * `resolved`: the end of the episode, or an episode that is known by its end alone; `repeated`: nothing new;
 * `late`: older than what is known, ignored; `refused`: no room.
 */
type AlertChangeKind = "fired" | "reopened" | "resolved" | "repeated" | "late" | "refused";

export interface AlertChange {
  readonly what: AlertChangeKind;
  /** As it is kept now; as it was incoming where it was refused. */
  readonly alert: AlertState;
  /** For people: why, in one line. */
  readonly detail: string;
}

export interface Ingested {
  readonly inbox: Inbox;
  /** One a incoming alert, in the order they were incoming. */
  readonly changes: readonly AlertChange[];
  /** Kept until now, and gone to make room. */
  readonly forgotten: readonly AlertState[];
}

/**
 * Takes in what a webhook tells. Of each alert the newest episode is known by its latest start and latest end, and it
 * is over when the end is not before the start: so neither the order nor the repetition of webhooks matters.
 * Never throws; what finds no room is `refused`, by name.
 * @param isAnswered whether something answers an alert: where there is no room it takes the place of one that nothing does
 */
export function ingest(
  inbox: Inbox,
  alerts: readonly AlertState[],
  at: BootInstant,
  isAnswered: (alert: AlertState) => boolean = () => false,
): Ingested {
  const next = new Map(inbox);
  const changes: AlertChange[] = [];
  const forgotten = new Map<string, AlertState>();
  for (const incoming of alerts) {
    const known = next.get(incoming.fingerprint);
    if (known === undefined && next.size >= MAX_ALERTS) {
      const gone =
        leastMissed(next, at) ??
        (isAnswered(incoming) ? [...next.values()].find((kept) => !isAnswered(kept)) : undefined);
      if (gone === undefined) {
        changes.push({
          what: "refused",
          alert: incoming,
          detail: `${next.size} alerts are kept, none is over`,
        });
        continue;
      }
      next.delete(gone.fingerprint);
      forgotten.set(gone.fingerprint, gone);
    }
    const change = known === undefined ? first(incoming) : merge(known, incoming, at);
    next.set(incoming.fingerprint, change.alert);
    forgotten.delete(incoming.fingerprint);
    changes.push(change);
  }
  return { inbox: next, changes, forgotten: [...forgotten.values()] };
}

function first(alert: AlertState): AlertChange {
  return alert.status === "firing"
    ? { what: "fired", alert, detail: "not known before" }
    : { what: "resolved", alert, detail: "over before it was known to fire" };
}

function merge(known: AlertState, incoming: AlertState, at: BootInstant): AlertChange {
  const startsAtMs = Math.max(known.startsAtMs, incoming.startsAtMs);
  const ends = [known.endsAtMs, incoming.endsAtMs].filter((end) => end !== undefined);
  const endsAtMs = ends.length === 0 ? undefined : Math.max(...ends);
  const common = {
    ...identity(known, incoming),
    startsAtMs,
    receivedAt: incoming.receivedAt,
    bootId: incoming.bootId,
  };
  if (endsAtMs === undefined || endsAtMs < startsAtMs) return firing({ known, incoming, at, common });
  if (incoming.status === "firing" && isLate(known, at))
    return {
      what: "late",
      // What it adds to the start must not be lost, or the order would matter.
      alert: { ...known, ...identity(known, incoming), startsAtMs },
      detail: `incoming already to be over, ${seconds(endsAtMs - incoming.startsAtMs)} after this start`,
    };
  if (incoming.status === "firing")
    return {
      what: "reopened",
      alert: { ...common, status: "firing" },
      detail: `incoming to fire ${seconds(LATE_MS)} or more after it was incoming to be over`,
    };
  const over: AlertState = { ...common, status: "resolved", endsAtMs };
  if (known.status === "firing") return { what: "resolved", alert: over, detail: "its end was told" };
  return startsAtMs > known.startsAtMs
    ? { what: "resolved", alert: over, detail: "a newer episode, over before it was known to fire" }
    : { what: "repeated", alert: over, detail: "over, as known" };
}

function firing(input: {
  known: AlertState;
  incoming: AlertState;
  at: BootInstant;
  common: Omit<AlertState, "status" | "endsAtMs">;
}): AlertChange {
  const { known, incoming, at, common } = input;
  const alert: AlertState = { ...common, status: "firing" };
  const laterMs = incoming.startsAtMs - known.startsAtMs;
  if (laterMs > 0)
    return { what: "fired", alert, detail: `a new episode, ${seconds(laterMs)} after the start of the last` };
  if (incoming.status === "resolved" || (laterMs < 0 && isLate(known, at)))
    return {
      what: "late",
      alert: known,
      detail: `of an episode that began ${seconds(-laterMs)} before this`,
    };
  return { what: "repeated", alert, detail: "fires, as known" };
}

/** A fingerprint stands for its labels; were two to differ under it, the newest episode's count, whatever the order. */
function identity(
  known: AlertState,
  incoming: AlertState,
): Pick<AlertState, "fingerprint" | "name" | "labels"> {
  const newest =
    incoming.startsAtMs === known.startsAtMs
      ? canonical(incoming) > canonical(known)
      : incoming.startsAtMs > known.startsAtMs;
  const { fingerprint, name, labels } = newest ? incoming : known;
  return { fingerprint, name, labels };
}

function canonical(alert: AlertState): string {
  return JSON.stringify(Object.entries(alert.labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isLate(known: AlertState, at: BootInstant): boolean {
  return elapsedMs(known, at) < LATE_MS;
}

/** Monotonic, but after a reboot, where only the wall clock knows. */
function elapsedMs(known: AlertState, at: BootInstant): number {
  return receivedAgeMs(known, at) ?? at.now.wallMs - known.receivedAt.wallMs;
}

/** Monotonic time since an alert was last heard of, milliseconds; undefined after a reboot of the machine. */
function receivedAgeMs(alert: AlertState, at: BootInstant): number | undefined {
  return alert.bootId === at.bootId ? Math.max(0, at.now.monoMs - alert.receivedAt.monoMs) : undefined;
}

/** Who gives place: what is over, longest unheard of first; then what has not been heard of for a day. */
function leastMissed(inbox: Inbox, at: BootInstant): AlertState | undefined {
  let gone: AlertState | undefined;
  for (const alert of inbox.values()) {
    const over = alert.status === "resolved";
    if (!over && elapsedMs(alert, at) < FORGET_MS) continue;
    if (gone === undefined || (over && gone.status === "firing")) gone = alert;
    else if (over === (gone.status === "resolved") && elapsedMs(alert, at) > elapsedMs(gone, at))
      gone = alert;
  }
  return gone;
}

/** Where an alert stands now. Unknown is neither firing nor resolved: it starts nothing and takes back nothing. */
type Freshness =
  | { readonly status: "firing" | "resolved"; readonly ageMs: number | undefined }
  | { readonly status: "unknown"; readonly reason: "alert_stale"; readonly detail: string };

/**
 * @param staleMs a firing alert that was not heard of for longer is not acted on any more, milliseconds.
 */
export function freshness(alert: AlertState, at: BootInstant & { readonly staleMs: number }): Freshness {
  const ageMs = receivedAgeMs(alert, at);
  if (alert.status === "resolved") return { status: "resolved", ageMs };
  if (ageMs === undefined)
    return {
      status: "unknown",
      reason: "alert_stale",
      detail: "not heard of since the machine started again",
    };
  if (ageMs > at.staleMs)
    return {
      status: "unknown",
      reason: "alert_stale",
      detail: `last heard of ${seconds(ageMs)} ago, believed for ${seconds(at.staleMs)}`,
    };
  return { status: "firing", ageMs };
}

/** True when the name is the same and every label given; an absent label is an empty one, as in Prometheus. */
export function matches(matcher: AlertMatcher, alert: AlertState): boolean {
  const label = (name: string) => (Object.hasOwn(alert.labels, name) ? alert.labels[name] : "");
  return (
    alert.name === matcher.name &&
    Object.entries(matcher.labels).every(([name, text]) => label(name) === text)
  );
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
