export { inboxDocuments, restoreInbox } from "./documents.ts";
export { type AlertChange, EMPTY_INBOX, hear, type Inbox, matches, standing } from "./inbox.ts";
export { parseWebhook } from "./parse.ts";
