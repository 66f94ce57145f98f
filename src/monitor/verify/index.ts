export { ESCALATION_ALERT, escalationAlerts, forgetOldEnds, notificationDue, told } from "./alert.ts";
export { type Answer, acknowledge, resumeTarget } from "./answer.ts";
export { escalate, ineffectiveCount } from "./escalate.ts";
export {
  advanceHealing,
  concludeEarly,
  forgetTargets,
  freshHealing,
  type HealingStep,
  type NewestSample,
  recordAttempt,
  recordCallFailure,
  resumeHealing,
  type TargetHealth,
  watch,
} from "./healing.ts";
export { judge, judgeByAlert } from "./judge.ts";
export { readHealing } from "./read.ts";
export type {
  EndedEscalation,
  HealingState,
  Judged,
  TargetRecord,
  Verification,
} from "./types.ts";
export { beginVerification, feed } from "./verification.ts";
