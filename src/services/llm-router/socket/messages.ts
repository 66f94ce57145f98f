import { z } from "zod";
import { isJobId, parseAfter } from "../input.ts";

/** Largest message of a client, bytes. */
export const MAX_MESSAGE_BYTES = 4_096;

const jobId = z.string().refine(isJobId);
const message = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("subscribe"),
    jobId,
    after: z.number().int().min(0).max(999_999_999).default(0),
  }),
  z.strictObject({ type: z.literal("unsubscribe"), jobId }),
  z.strictObject({ type: z.literal("ping") }),
]);

export type ClientMessage = z.infer<typeof message>;

/** What is wrong with foreign input, and what would be right. */
export interface Problem {
  readonly message: string;
  readonly field: string;
  readonly expected: string;
}

const EXPECTED: Readonly<Record<string, string>> = {
  type: "one of subscribe, unsubscribe, ping",
  jobId: "the id of a job, as POST /jobs answers it",
  after: "the seq of the last event seen, a whole number, 0 or more",
};

/** Reads a message of a client. */
export function readMessage(
  data: Buffer,
  isBinary: boolean,
): { readonly message: ClientMessage } | { readonly problem: Problem } {
  let value: unknown;
  try {
    if (isBinary) throw new TypeError("binary");
    value = JSON.parse(data.toString("utf8"));
  } catch {
    return wrong("(message)", "a JSON object in a text message");
  }
  const parsed = message.safeParse(value);
  if (parsed.success) return { message: parsed.data };
  const issue = parsed.error.issues[0];
  if (issue?.code === "unrecognized_keys") {
    return wrong(issue.keys[0]?.slice(0, 100) ?? "(message)", "no such field");
  }
  const field = issue?.path.join(".") || "(message)";
  return wrong(field, EXPECTED[field] ?? "a JSON object in a text message");
}

/** What the address of a WebSocket asks for: `/ws`, `/ws?jobId=…`, `/ws?jobId=…&after=SEQ`. */
export type SocketTarget =
  | { readonly ok: true; readonly subscribe?: { readonly jobId: string; readonly after: number } }
  | { readonly ok: false; readonly status: 400 | 404; readonly problem: Problem };

/** Reads the address of an upgrade request. */
export function readTarget(url: string): SocketTarget {
  const parsed = URL.canParse(url, "http://x") ? new URL(url, "http://x") : undefined;
  if (parsed?.pathname !== "/ws") {
    return { ok: false, status: 404, problem: wrong("(path)", "/ws").problem };
  }
  const refused = (field: string, expected: string): SocketTarget => ({
    ok: false,
    status: 400,
    ...wrong(field, expected),
  });
  const query = parsed.searchParams;
  for (const name of query.keys()) {
    if (name !== "jobId" && name !== "after") return refused(name.slice(0, 100), "only jobId and after");
    if (query.getAll(name).length > 1) return refused(name, "one value");
  }
  const id = query.get("jobId");
  const after = parseAfter(query.get("after") ?? "0");
  if (after === undefined) return refused("after", EXPECTED.after ?? "");
  if (id === null) return query.has("after") ? refused("jobId", EXPECTED.jobId ?? "") : { ok: true };
  if (!isJobId(id)) return refused("jobId", EXPECTED.jobId ?? "");
  return { ok: true, subscribe: { jobId: id, after } };
}

function wrong(field: string, expected: string): { readonly problem: Problem } {
  return { problem: { message: `${field} is not valid`, field, expected } };
}
