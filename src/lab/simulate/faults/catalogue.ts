/** Who or what misbehaves. */
type FaultGroup =
  | "prometheus"
  | "source"
  | "service"
  | "callee"
  | "health"
  | "process"
  | "disk"
  | "time"
  | "alerts"
  | "people";

/** One kind of fault of the catalogue. */
export interface FaultKind {
  readonly kind: string;
  readonly group: FaultGroup;
  /** What happens, in one line. */
  readonly about: string;
  /** How long it lasts, minutes, from and to; it also ends with its last hit. */
  readonly minutes: readonly [number, number];
  /** How many calls it meets before it is spent, from and to; absent: as many as there are. */
  readonly hits?: readonly [number, number];
  /** It is about one target. */
  readonly targeted?: boolean;
  /** Only where the metric source is asked through its port. */
  readonly portOnly?: boolean;
  /** It waits for a call, an action's or an escalation's. */
  readonly onCall?: boolean;
  /** In the deck twice: what it meets is seldom there when it comes. */
  readonly seldomMet?: boolean;
}

type Row = readonly [kind: string, about: string, more?: Partial<FaultKind>];

const rows = (
  group: FaultGroup,
  common: Pick<FaultKind, "minutes"> & Partial<FaultKind>,
  of: readonly Row[],
) => of.map(([kind, about, more]): FaultKind => ({ kind, group, about, ...common, ...more }));

const PROMETHEUS = rows("prometheus", { minutes: [2, 20] }, [
  ["prom_refused", "Prometheus is down: connections are refused"],
  ["prom_500", "it answers 503 while it replays its log"],
  ["prom_hangs", "it accepts and never answers"],
  ["prom_drips", "the answer drips in slower than the deadline"],
  ["prom_slow", "the answer takes seconds, within the deadline"],
  ["prom_html", "a proxy answers 200 with a page of HTML"],
  ["prom_bad_json", "the answer is not JSON"],
  ["prom_truncated", "the body breaks off"],
  ["prom_error", "status error: the query failed"],
  ["prom_warnings", "the answer carries warnings: it is partial"],
  ["prom_redirect", "it redirects elsewhere"],
  ["prom_huge", "the answer is larger than the cap"],
  ["prom_empty", "no series at all: it has just started with an empty store"],
  ["prom_half_empty", "half of the jobs are gone from its answers"],
  ["prom_nan", "values are NaN"],
  ["prom_infinite", "values are +Inf"],
  ["prom_null", "values are null"],
  ["prom_empty_text", "values are empty texts"],
  ["prom_negative", "values are negative: a counter was reset under a rate"],
  ["prom_duplicate", "a job has two series where there must be one", { targeted: true }],
  ["prom_absent", "the series of a job are gone", { targeted: true }],
  ["prom_scrape_failed", "the last scrape of a job failed (up is 0)", { targeted: true }],
  [
    "prom_not_scraped",
    "a job is not scraped any more: its samples grow old",
    { targeted: true, minutes: [6, 30] },
  ],
  ["prom_frozen", "nothing is scraped any more: every timestamp stands still", { minutes: [6, 30] }],
  ["prom_ahead", "its clock is an hour ahead"],
  ["prom_behind", "its clock is an hour behind"],
]);

const SOURCE = rows("source", { minutes: [1, 8], portOnly: true }, [
  ["source_throws", "a source throws, which it must not"],
  ["source_hangs", "a source outlasts its deadline"],
  ["source_short", "a source answers fewer series than asked"],
  ["source_nonsense", "a source calls NaN and -1 usable"],
  ["source_future", "a source calls tomorrow's sample usable"],
]);

const SERVICE = rows("service", { minutes: [120, 360], hits: [1, 4], onCall: true }, [
  ["service_refused", "the admin plane refuses connections"],
  ["service_hangs", "it accepts, does nothing and never answers"],
  ["service_answer_lost", "it carries the call out, and the answer is lost"],
  ["service_reset", "the connection breaks after the call was carried out"],
  ["service_slow", "the answer takes seconds, within the deadline"],
  ["service_too_slow", "the answer to what was carried out comes after the deadline"],
  ["service_drips", "the answer drips in slower than the deadline"],
  ["service_401", "the token is not accepted"],
  ["service_403", "it lets nobody in from here"],
  ["service_429", "it limits the rate and says when to come again"],
  ["service_500", "it fails before doing anything, and says so"],
  ["service_500_silent", "it fails, and does not say whether before or after"],
  ["service_500_applied", "it carries the call out and cannot complete its record"],
  ["service_ledger_full", "it cannot write the call down, so it does nothing (503)"],
  ["service_redirect", "it redirects elsewhere"],
  ["service_html", "a proxy answers in its place, with a page of HTML"],
  ["service_huge", "its answer is larger than the cap"],
  ["service_cut", "its answer breaks off"],
  ["service_proxy_404", "a proxy says 404 when the service is asked about a key", { seldomMet: true }],
  ["service_late", "the call is carried out half a minute after it was sent"],
  ["service_twice", "the network delivers the call twice"],
  ["service_frozen", "the service stands still and takes up its work later", { minutes: [60, 240] }],
]);

/** In worlds with playbooks of their own: what these call that is none of our services. */
const CALLEE = rows("callee", { minutes: [120, 360], hits: [1, 4], onCall: true }, [
  ["callee_refused", "an outside address or the API server refuses connections"],
  ["callee_hangs", "it accepts, does nothing and never answers"],
  ["callee_idle", "it answers 200 and does nothing"],
  ["callee_404", "it knows no such path, or no such workload"],
  ["callee_redirect", "it redirects elsewhere"],
  ["callee_500", "it fails before doing anything, and does not say so"],
  ["callee_answer_lost", "it carries the call out, and the answer is lost"],
  ["workload_forbidden", "the API server does not allow the restart"],
  ["workload_conflict", "the workload is changed by another between reading and restarting it"],
]);

const HEALTH = rows("health", { minutes: [20, 120], targeted: true }, [
  ["ramp", "a level climbs past its limit; a mitigation mends it"],
  ["step", "a level jumps past its limit; a mitigation mends it"],
  ["leak", "memory grows until it is mitigated"],
  ["flood", "a backlog grows until it is mitigated or contained"],
  ["blip", "a level jumps for some minutes and comes back by itself", { minutes: [2, 6] }],
  ["flapping", "a level jumps up and down"],
  ["cure_nothing", "a mitigation does nothing", { minutes: [120, 300] }],
  ["cure_worse", "a mitigation makes it worse", { minutes: [120, 300] }],
  ["cure_late", "a mitigation works only minutes later"],
  ["cure_partly", "a mitigation takes half of it away"],
  ["cure_relapses", "a mitigation helps, and it begins anew", { minutes: [120, 300] }],
  ["no_traffic", "a target without traffic: its latency is no number", { minutes: [10, 60] }],
  ["storm", "a common dependency is sick: everything climbs at once", { targeted: false }],
  ["drift", "outputs of the model turn invalid: an alert asks for the fallback", { minutes: [40, 120] }],
]);

const PROCESS = rows("process", { minutes: [0, 0] }, [
  ["kill_any", "kill -9 at any call of the monitor"],
  ["kill_idle", "kill -9 between two cycles"],
  ["kill_before_intent", "kill -9 between decision and intent", { minutes: [240, 420], onCall: true }],
  ["kill_after_intent", "kill -9 between the intent and its call", { minutes: [240, 420], onCall: true }],
  ["kill_in_call", "kill -9 while the call is under way", { minutes: [240, 420], onCall: true }],
  ["kill_before_outcome", "kill -9 between the answer and its record", { minutes: [240, 420], onCall: true }],
  ["kill_after_outcome", "kill -9 just after the record", { minutes: [240, 420], onCall: true }],
  ["crash_loop", "five kills within minutes", { minutes: [3, 6] }],
  ["stop", "SIGTERM, in or between cycles, and a start"],
  ["reboot", "the machine boots anew: monotonic time begins anew"],
  ["stall", "the process stands still for minutes", { minutes: [2, 12] }],
  ["stall_before_call", "the process stands still just before a call", { minutes: [240, 420], onCall: true }],
  ["second_start", "a second monitor is started on the same disk"],
  [
    "leader_stopped",
    "the monitor is stopped before a call; a newer one, with a disk of its own, acts; it is resumed",
    { minutes: [240, 420], onCall: true },
  ],
  ["two_leaders", "a newer monitor with a disk of its own runs beside it", { minutes: [20, 60] }],
  ["reload", "a reload of other settings"],
  ["reload_invalid", "a reload of a file that is wrong"],
  ["reload_drops", "a reload drops a target, another brings it back", { minutes: [3, 30] }],
]);

const DISK = rows("disk", { minutes: [60, 240] }, [
  ["disk_full", "ENOSPC: no write is taken", { minutes: [3, 40] }],
  ["disk_error", "EIO: a write fails", { hits: [1, 3] }],
  ["disk_unsure", "EIO after the write: it is on disk, and reported as failed", { hits: [1, 2] }],
  ["disk_torn", "the journal is damaged when it is next opened", { minutes: [0, 0] }],
]);

const TIME = rows("time", { minutes: [5, 40] }, [
  ["wall_ahead", "the wall clock is set a day forward, then back"],
  ["wall_behind", "the wall clock is set a day back, then forward"],
  ["wall_all_ahead", "the clocks of monitor and Prometheus are set a day forward, then back"],
  ["wall_slews", "the wall clock is some seconds off", { minutes: [10, 60] }],
]);

const ALERTS = rows("alerts", { minutes: [60, 240], hits: [1, 4] }, [
  ["alert_lost", "a webhook is lost", { seldomMet: true }],
  ["alert_twice", "a webhook arrives twice", { seldomMet: true }],
  ["alert_late", "webhooks overtake one another", { seldomMet: true }],
  ["alert_forged", "somebody without a token tells of an alert", { minutes: [0, 0], hits: undefined }],
  ["alert_garbage", "a webhook whose entries are no alerts", { minutes: [0, 0], hits: undefined }],
  ["alert_future", "an alert that begins tomorrow", { minutes: [0, 0], hits: undefined }],
  ["alert_silent", "an alert fires and is not heard of again", { minutes: [30, 90], hits: undefined }],
  ["alert_flaps", "an alert fires and ends every minute", { minutes: [5, 15], hits: undefined }],
]);

const PEOPLE = rows("people", { minutes: [10, 60] }, [
  ["pager_down", "Alertmanager takes no escalation", { minutes: [60, 300], seldomMet: true, onCall: true }],
  ["kill_switch", "AUTO_HEAL=0 by a reload"],
  ["shadow_target", "a target is put in shadow mode by a reload", { targeted: true }],
  ["pause", "a person pauses it"],
  ["silence", "a person silences a target, or what its playbook calls", { targeted: true }],
  ["maintenance", "a maintenance window comes by a reload"],
  [
    "word_in_call",
    "a person pauses it, or silences the target that asked, while the first step of a run is called",
    { minutes: [120, 360], hits: [1, 1], seldomMet: true, onCall: true },
  ],
  ["request", "a person asks for a mitigation or a playbook", { targeted: true }],
  [
    "go_on",
    "a person answers every escalation with: go on",
    { minutes: [60, 240], seldomMet: true, onCall: true },
  ],
]);

/** Every kind of fault there is. */
export const CATALOGUE: readonly FaultKind[] = [
  ...PROMETHEUS,
  ...SOURCE,
  ...SERVICE,
  ...CALLEE,
  ...HEALTH,
  ...PROCESS,
  ...DISK,
  ...TIME,
  ...ALERTS,
  ...PEOPLE,
];

export const KINDS: ReadonlyMap<string, FaultKind> = new Map(CATALOGUE.map((f) => [f.kind, f]));
