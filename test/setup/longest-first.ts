import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take minutes, the longest first: begun last, one of them would keep everybody waiting at the end. */
const LONGEST = [
  "chaos/kills",
  "llm/router",
  "chaos/faults",
  "page/page",
  "simulate/simulation",
  "security/leaders",
  "drill/drill",
  "grafana/live",
  "page/escalation",
  "alerting/rule-tests",
  "fuzz/prometheus",
  "e2e/guards",
  "bench/decisions/pipeline",
];

/** Within a group, the longest files first; the others as vitest orders them. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`${name}.test.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => orderOf(a) - orderOf(b) || rank(a) - rank(b));
  }
}

function orderOf({ project }: TestSpecification): number {
  return project.config.sequence.groupOrder;
}
