import { hashText } from "./engine/random.ts";
import { clockText } from "./engine/trace.ts";
import { CATALOGUE } from "./faults/catalogue.ts";
import { PLANTS } from "./plants/index.ts";
import type { SeedResult } from "./run.ts";

/** What many seeds came to. */
export interface Summary {
  readonly seeds: number;
  readonly hours: number;
  readonly violations: number;
  /** Kinds of fault that struck. */
  readonly fault_kinds: number;
  /** Over the hashes of all seeds, in their order. */
  readonly trace_hash: string;
}

export interface Tally {
  readonly results: readonly SeedResult[];
  readonly hours: number;
  /** Seeds whose second run left another trace. */
  readonly unlike: readonly number[];
  readonly repeated: number;
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** How often each kind struck, most seldom first; kinds that never did are 0. */
export function strikes(results: readonly SeedResult[]): [string, number][] {
  const counts = new Map<string, number>(CATALOGUE.map((f) => [f.kind, 0]));
  for (const { struck } of results)
    for (const [kind, n] of Object.entries(struck)) counts.set(kind, (counts.get(kind) ?? 0) + n);
  return [...counts].sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1));
}

export function summarize({ results, hours, unlike }: Tally): Summary {
  const ordered = results.toSorted((a, b) => a.seed - b.seed);
  const text = ordered.map((r) => `${r.seed} ${r.hash}`).join("\n");
  const half = (label: string) =>
    hashText(label + text)
      .toString(16)
      .padStart(8, "0");
  return {
    seeds: results.length,
    hours,
    violations: results.filter((r) => r.violation !== undefined).length + unlike.length,
    fault_kinds: strikes(results).filter(([, n]) => n > 0).length,
    trace_hash: half("a") + half("b"),
  };
}

/** The summary for people. */
export function table(tally: Tally): string {
  const { results, hours, wallMs, cpuMs } = tally;
  const counts = strikes(results);
  const sum = (of: (r: SeedResult) => number) => results.reduce((n, r) => n + of(r), 0);
  const width = Math.max(...counts.map(([kind]) => kind.length));
  const columns = 3;
  const rows = Math.ceil(counts.length / columns);
  const cell = (i: number) => {
    const [kind, n] = counts[i] ?? ["", 0];
    return kind === "" ? "" : `${kind.padEnd(width)} ${String(n).padStart(6)}`;
  };
  const grid = Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, c) => cell(i + c * rows))
      .join("   ")
      .trimEnd(),
  );
  const three = results.filter((r) => r.atOnce >= 3).length;
  const { violations, trace_hash } = summarize(tally);
  return [
    `faults that struck, most seldom first:`,
    ...grid,
    "",
    `${results.length} seeds of ${hours} h: ${sum((r) => r.counts.cycles)} cycles, ${sum((r) => r.counts.starts)} starts, ${sum((r) => r.counts.calls)} calls, ${sum((r) => r.effects)} effects, ${sum((r) => r.counts.escalations)} tellings of escalations`,
    `${results.filter((r) => r.http).length} seeds through the real Prometheus client, ${results.filter((r) => r.sqlite).length} with the journal in files, all through the real clients of actions and escalations`,
    `three or more faults at once in ${three} seeds, at most ${Math.max(...results.map((r) => r.atOnce))}; least struck: ${counts[0]?.[0]} (${counts[0]?.[1]})`,
    `${tally.repeated} seeds played twice, ${tally.unlike.length} left another trace; trace hash ${trace_hash}`,
    `${(wallMs / 1000).toFixed(1)} s, ${(cpuMs / 1000).toFixed(1)} s of processor`,
    `${violations} violations`,
  ].join("\n");
}

/** A broken promise, with what led to it. */
export function violationText(result: SeedResult): string {
  const { violation, seed, lines } = result;
  if (violation === undefined) return "";
  return [
    `seed ${seed}: promise ${violation.promise} broken at ${clockText(violation.atMs)}`,
    `  ${violation.text}`,
    ...lines.map((line) => `  | ${line}`),
  ].join("\n");
}

/** Tables for the documents, as Markdown. */
export function catalogueText(): string {
  const faults = CATALOGUE.map((f) => [`\`${f.kind}\``, f.group, f.about]);
  const bugs = PLANTS.map((p) => [`\`${p.name}\``, p.about, p.breaks.join(", ")]);
  return [
    ...markdown(["fault", "who", "what happens"], faults),
    "",
    ...markdown(["bug", "what is wrong", "promises"], bugs),
  ].join("\n");
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, c) => Math.max(title.length, ...rows.map((row) => (row[c] ?? "").length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, c) => text.padEnd(widths[c] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((w) => "-".repeat(w))), ...rows.map(line)];
}
