import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";

/** Samples a series and their distance: ten minutes at the default cycle. */
export const SAMPLES = 20;
export const STEP_S = 30;

/** Series that the data holds; the smaller sizes read a part of them. */
export const LARGEST = 10_000;

export function jobName(i: number): string {
  return `svc-${String(i).padStart(5, "0")}`;
}

/** Latency-like values in ms that drift a little and differ from series to series; the same every run. */
export function sampleValue(i: number, k: number): number {
  return 80 + (i % 97) + 3 * Math.sin(i + k) + 0.5 * k * (i % 5 === 0 ? 1 : 0);
}

/** Writes blocks with ten minutes of `bench_signal` and `up` for `size` jobs, ending at `endS` (Unix seconds). */
export function backfill(input: { promtool: string; dataFolder: string; size: number; endS: number }): void {
  const { size, endS } = input;
  const at = (k: number) => endS - (SAMPLES - 1 - k) * STEP_S;
  const lines: string[] = ["# TYPE bench_signal gauge"];
  for (let i = 0; i < size; i++)
    for (let k = 0; k < SAMPLES; k++)
      lines.push(`bench_signal{job="${jobName(i)}",instance="i"} ${sampleValue(i, k)} ${at(k)}`);
  lines.push("# TYPE up gauge");
  for (let i = 0; i < size; i++)
    for (let k = 0; k < SAMPLES; k++) lines.push(`up{job="${jobName(i)}",instance="i"} 1 ${at(k)}`);
  lines.push("# EOF", "");
  const file = `${input.dataFolder}.openmetrics`;
  writeFileSync(file, lines.join("\n"));
  execFileSync(input.promtool, ["tsdb", "create-blocks-from", "openmetrics", "-q", file, input.dataFolder], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  rmSync(file);
}
