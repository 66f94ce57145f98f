import { relative } from "node:path";
import type { Reporter } from "vitest/node";

/** Least share of the branches of these folders that unit tests must reach, percent: what decides whether to act. */
export const LEAST_BRANCHES = { "src/monitor/rules": 95, "src/monitor/cycle": 95 };

/** What is needed of the coverage map, whose types are not installed. */
interface CoverageMap {
  files(): string[];
  fileCoverageFor(path: string): {
    toSummary(): { branches: { readonly total: number; readonly covered: number } };
  };
}

/** Ends a run with coverage with one line for each folder whose branches are held; vitest fails it below the limit. */
export default class BranchCoverage implements Reporter {
  onCoverage(coverage: unknown): void {
    const map = coverage as CoverageMap;
    for (const [folder, least] of Object.entries(LEAST_BRANCHES)) {
      const found = { covered: 0, total: 0 };
      for (const file of map.files()) {
        if (!relative(process.cwd(), file).startsWith(`${folder}/`)) continue;
        const { branches } = map.fileCoverageFor(file).toSummary();
        found.covered += branches.covered;
        found.total += branches.total;
      }
      const share = ((100 * found.covered) / found.total).toFixed(2);
      const line = `${folder}: ${share} % of the branches (${found.covered} of ${found.total}), at least ${least} %\n`;
      process.once("exit", () => void process.stdout.write(line));
    }
  }
}
