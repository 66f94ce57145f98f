import {
  createLineSplitter,
  type LineSplitter,
  readHeader,
  readName,
  readTime,
  readValue,
  splitFields,
} from "./csv.ts";
import { atLine, ReplayInputError } from "./error.ts";
import { createRecorder, type History, type Recorder } from "./history.ts";

const SAMPLE_COLUMNS = ["target", "signal", "timestamp", "value"] as const;

export interface SampleReader {
  push(chunk: string): void;
  /** @throws ReplayInputError when there was nothing to read. */
  end(): History;
}

/**
 * Reads `target,signal,timestamp,value` as it comes in, line by line.
 * Throws `ReplayInputError` naming the line at the first one that is wrong: a malformed row is never skipped.
 */
export function createSampleReader(input: {
  /** For messages. */
  file: string;
  /** Names of the signals that exist. */
  signals: readonly string[];
}): SampleReader {
  const { file, signals } = input;
  const history = createRecorder();
  const takeRow = rowReader(file, signals, history);
  let order: readonly number[] | undefined;
  const lines: LineSplitter = createLineSplitter(file, (line, number) => {
    if (order !== undefined) {
      if (line !== "") takeRow(line, number, order);
    } else if (line.trim() !== "") {
      const columns = readHeader({ line, number, file, wanted: SAMPLE_COLUMNS });
      order = SAMPLE_COLUMNS.map((name) => columns[name] as number);
    }
  });
  return {
    push: (chunk) => lines.push(chunk),
    end() {
      lines.end();
      if (order === undefined)
        throw new ReplayInputError(
          `${file}: empty; it must begin with the header ${SAMPLE_COLUMNS.join(",")}`,
        );
      const read = history.end();
      if (read.series.length === 0) throw new ReplayInputError(`${file}: there is no row after the header`);
      return read;
    },
  };
}

/** Takes the rows one by one; the series of the last row is at hand, as rows mostly come series by series. */
function rowReader(file: string, signals: readonly string[], history: Recorder) {
  const known = new Set(signals);
  const where = { file, number: 0 };
  let lastTarget = "";
  let lastSignal = "";
  let last = -1;
  return (line: string, number: number, order: readonly number[]): void => {
    where.number = number;
    const fields = splitFields(line, where);
    if (fields.length !== SAMPLE_COLUMNS.length) {
      if (line.trim() === "") return;
      throw atLine(
        file,
        number,
        `${fields.length} fields; there must be ${SAMPLE_COLUMNS.length}: ${SAMPLE_COLUMNS.join(",")}`,
      );
    }
    const rawTarget = fields[order[0] as number] as string;
    const rawSignal = fields[order[1] as number] as string;
    if (last < 0 || rawTarget !== lastTarget || rawSignal !== lastSignal) {
      const target = readName(rawTarget, "target", where);
      const signal = readName(rawSignal, "signal", where);
      if (!known.has(signal))
        throw atLine(file, number, `unknown signal "${signal}"; there is ${signals.join(", ")}`);
      last = history.seriesAt(target, signal);
      lastTarget = rawTarget;
      lastSignal = rawSignal;
    }
    const timeMs = readTime(fields[order[2] as number] as string, "timestamp", where);
    const value = readValue(fields[order[3] as number] as string, where);
    const before = history.newestMs(last);
    if (timeMs <= before) throw atLine(file, number, orderProblem(rawTarget, rawSignal, timeMs, before));
    history.add(last, timeMs, value);
  };
}

function orderProblem(target: string, signal: string, timeMs: number, beforeMs: number): string {
  const of = `of ${target}/${signal}`;
  return timeMs === beforeMs
    ? `timestamp ${timeMs / 1000} ${of} is there twice (times are told apart to the millisecond)`
    : `timestamp ${timeMs / 1000} ${of} comes after ${beforeMs / 1000}; sort each series by time`;
}
