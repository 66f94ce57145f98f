export { ESCALATION_ALERT, escalationAlerts, forgetOldEnds, notificationDue, told } from "./alert.ts";
export { type Answer, acknowledge, resumeTarget } from "./answer.ts";
export { escalate, ineffectiveCount } from "./escalate.ts";
export { judge, judgeByAlert } from "./judge.ts";
export { readVerification } from "./read.ts";
export {
  advanceVerification,
  concludeEarly,
  forgetTargets,
  freshVerification,
  type NewestSample,
  recordAttempt,
  recordCallFailure,
  resumeVerification,
  type TargetHealth,
  type VerificationStep,
  watch,
} from "./state.ts";
export type {
  EndedEscalation,
  Judged,
  TargetRecord,
  Verification,
  VerificationState,
} from "./types.ts";
export { beginVerification, feed } from "./verification.ts";
