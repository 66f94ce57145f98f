export { dueToTell, ESCALATION_ALERT, escalationAlerts, forgetOldEnds, told } from "./alert.ts";
export { type Answer, goOn, stayStopped } from "./answer.ts";
export { escalate, ineffectiveCount } from "./escalate.ts";
export {
  advanceHealing,
  concludeEarly,
  forgetTargets,
  freshHealing,
  type HealingStep,
  type NewestSample,
  recordCallFailure,
  recordTry,
  resumeHealing,
  type TargetHealth,
  watch,
} from "./healing.ts";
export { judge, judgeByAlert } from "./judge.ts";
export { readHealing } from "./read.ts";
export type {
  Before,
  EndedEscalation,
  HealingState,
  Judged,
  TargetRecord,
  Verification,
} from "./types.ts";
export { beginVerification, feed } from "./verification.ts";
