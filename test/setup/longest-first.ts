import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take long, in the order in which they begin: begun last, one of them would keep everybody waiting at the
 * end. What only reckons stands between what mostly waits.
 */
const LONGEST = [
  "simulate/simulation",
  "llm/router",
  "chaos/kills",
  "chaos/faults",
  "e2e/guards",
  "e2e/heal",
  "page/page",
  "e2e/healthy",
  "decisions/bounds",
  "security/leaders",
  "alerting/rule-tests",
  "grafana/live",
  "page/escalation",
  "security/slow-clients",
  "decisions/pipeline",
  "fuzz/prometheus",
  "containers/commands",
  "sources/parts-agreement",
  "recommender/degraded",
  "sources/agreement",
  "e2e/cli",
  "e2e/targets",
  "gateway/kill",
  "replay/command",
  "security/credentials",
  "security/log-sink",
  "socket/socket",
  "alerting/delivery",
  "e2e/environment",
  "e2e/lifecycle",
  "e2e/up",
  "gateway/embedded",
  "e2e/alerts",
  "kit/service",
  "e2e/actions",
  "llm-router/llm-router",
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
