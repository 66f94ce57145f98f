export { escalationAlerts, forgetOldEnds, notificationDue, told } from "./alert.ts";
export { acknowledge, resumeTarget } from "./answer.ts";
export { judgeByAlert } from "./judge.ts";
export { readVerification } from "./read.ts";
export {
  advanceVerification,
  concludeEarly,
  forgetTargets,
  freshVerification,
  type NewestSample,
  recordAttempt,
  resumeVerification,
  type VerificationStep,
  watch,
} from "./state.ts";
export type { EndedEscalation } from "./types.ts";
export { beginVerification } from "./verification.ts";
