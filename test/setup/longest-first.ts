import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take long, in the order in which they begin: begun last, one of them would keep everybody waiting at the
 * end. Of the first part two wait while two reckon.
 */
const LONGEST = [
  "e2e/guards",
  "e2e/heal",
  "alerting/rule-tests",
  "fuzz/prometheus",
  "e2e/healthy",
  "replay/command",
  "drill/drill",
  "decisions/pipeline",
  "security/slow-clients",
  "decisions/bounds",
  "gateway/kill",
  "e2e/environment",
  "socket/socket",
  "simulate/simulation",
  "chaos/kills",
  "chaos/faults",
  "llm/router",
  "page/page",
  "security/leaders",
  "page/escalation",
  "grafana/live",
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
