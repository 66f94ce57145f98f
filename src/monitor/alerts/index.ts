export { inboxDocuments, restoreInbox } from "./documents.ts";
export { type AlertChange, EMPTY_INBOX, freshness, type Inbox, ingest, matches } from "./inbox.ts";
export { parseWebhook } from "./parse.ts";
