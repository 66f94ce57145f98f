export { inboxDocuments, restoreInbox } from "./documents.ts";
export {
  type AlertChange,
  type AlertChangeKind,
  EMPTY_INBOX,
  type Heard,
  hear,
  heardAgeMs,
  type Inbox,
  LATE_MS,
  MAX_ALERTS,
  matches,
  type Standing,
  standing,
} from "./inbox.ts";
export { parseWebhook } from "./parse.ts";
