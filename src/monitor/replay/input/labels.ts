import { seriesKey } from "../../kernel/target.ts";
import { createLineSplitter, readHeader, readName, readTime, splitFields } from "./csv.ts";
import { atLine, ReplayInputError } from "./error.ts";

const LABEL_COLUMNS = ["target", "signal", "onset", "breach"] as const;

/** What is known of one incident: when it began and when the service was broken. Milliseconds since the Unix epoch. */
export interface Incident {
  readonly onsetMs: number;
  readonly breachMs: number;
}

/** Incidents by `seriesKey`, in order of time; an empty list where the series is known to be healthy. */
export type Labels = ReadonlyMap<string, readonly Incident[]>;

/**
 * Reads `target,signal,onset,breach`. A breach left empty says that the series never broke (healthy, or a near-miss);
 * a series may have several incidents, a row each.
 * Throws `ReplayInputError` naming the line that is wrong.
 */
export function readLabels(text: string, file: string): Labels {
  const labels = new Map<string, Incident[]>();
  let order: readonly number[] | undefined;
  const lines = createLineSplitter(file, (line, number) => {
    if (line.trim() === "") return;
    if (order === undefined) {
      const columns = readHeader({ line, number, file, wanted: LABEL_COLUMNS });
      order = LABEL_COLUMNS.map((name) => columns[name] as number);
      return;
    }
    takeLabel(labels, pick(line, { file, number }, order), { file, number });
  });
  lines.push(text);
  lines.end();
  if (order === undefined)
    throw new ReplayInputError(`${file}: empty; it must begin with the header ${LABEL_COLUMNS.join(",")}`);
  return labels;
}

interface Where {
  readonly file: string;
  readonly number: number;
}

function pick(line: string, where: Where, order: readonly number[]): string[] {
  const fields = splitFields(line, where);
  if (fields.length === LABEL_COLUMNS.length) return order.map((at) => fields[at] as string);
  const expected = `${LABEL_COLUMNS.length}: ${LABEL_COLUMNS.join(",")}`;
  throw atLine(where.file, where.number, `${fields.length} fields; there must be ${expected}`);
}

function takeLabel(labels: Map<string, Incident[]>, fields: readonly string[], where: Where): void {
  const [rawTarget = "", rawSignal = "", onset = "", breach = ""] = fields;
  const target = readName(rawTarget, "target", where);
  const signal = readName(rawSignal, "signal", where);
  const key = seriesKey(target, signal);
  const known = labels.get(key) ?? [];
  const wrong = (what: string) => atLine(where.file, where.number, what);
  if (breach.trim() === "") {
    if (onset.trim() !== "") readTime(onset, "onset", where);
    if (known.length > 0) throw wrong(`${key} has an incident already, so it cannot be healthy too`);
    labels.set(key, known);
    return;
  }
  if (labels.has(key) && known.length === 0) throw wrong(`${key} is said to be healthy already`);
  if (onset.trim() === "") throw wrong("onset must be given where breach is");
  const onsetMs = readTime(onset, "onset", where);
  const breachMs = readTime(breach, "breach", where);
  if (breachMs < onsetMs) throw wrong(`breach ${breach.trim()} must not be before onset ${onset.trim()}`);
  const before = known.at(-1);
  if (before !== undefined && onsetMs <= before.breachMs)
    throw wrong(`onset ${onset.trim()} must be after the last breach of ${key}, ${before.breachMs / 1000}`);
  labels.set(key, [...known, { onsetMs, breachMs }]);
}
