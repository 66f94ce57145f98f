import { z } from "zod";
import { described, name, seconds, text } from "../../../common/settings/fields.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import type { ParameterRule, ParameterRules } from "../../kernel/plugin.ts";
import { anyRegion } from "../shared/parameters.ts";
import { checkBodyTemplate, checkUrlTemplate, parametersOf, parseTemplate, placeOfBody } from "./template.ts";

const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
const HEADER_VALUE = /^[\x20-\x7e]{1,4096}$/;
/** What is ours to say, or the connection's. */
const RESERVED = [
  "connection",
  "content-length",
  "expect",
  "host",
  "idempotency-key",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-admin-token",
];
/** Longest attempt: three of them and their waits must end before an action's own deadline, seconds. */
const MAX_TIMEOUT_S = 10;
const DEFAULT_TIMEOUT_S = 4;
/** Besides 2xx, what may say that it was done before. */
const DONE_BEFORE = [404, 409, 410];

/** Names from the outside in. */
const FIELD = /^[^.\s]{1,64}(\.[^.\s]{1,64}){0,7}$/;

const status = z
  .number({ error: "must be a status" })
  .refine((v) => (Number.isInteger(v) && v >= 200 && v <= 299) || DONE_BEFORE.includes(v), {
    error: `must be a status from 200 to 299, or one that says that it was done before: ${DONE_BEFORE.join(", ")}`,
  });

const entry = z.strictObject({
  name: described(name(), "unique, and not the name of a target; a step names it"),
  url: described(text("an http:// or https:// URL"), "template; placeholders in its path and query only"),
  method: described(
    z
      .enum(["POST", "PUT", "PATCH", "DELETE"], { error: "must be POST, PUT, PATCH or DELETE" })
      .default("POST"),
    "of the call",
  ),
  headers: described(
    z.record(z.string(), text("the value of a header")).default({}),
    "plain text; with a body, `content-type` is `application/json` by default",
    "none",
  ),
  headers_from_files: described(
    z.record(z.string(), text("a file that holds the value of a header")).default({}),
    "headers whose value is the first line of a file, read at each call: for secrets",
    "none",
  ),
  body: described(
    text("the body of the call").optional(),
    "template: JSON with placeholders inside strings, or a form",
    "none",
  ),
  timeout_seconds: described(
    seconds(0.1, MAX_TIMEOUT_S).default(DEFAULT_TIMEOUT_S),
    "deadline of one attempt",
  ),
  expect_status: described(
    z.array(status, { error: "must be a list of statuses" }).default([]),
    "statuses that say that it was done; 404, 409 and 410 may be among them: it was done before",
    "any 2xx",
  ),
  expect_json: described(
    z
      .record(
        z.string(),
        z.union([z.string(), z.number(), z.boolean()], { error: "must be text, a number, true or false" }),
      )
      .refine((fields) => Object.keys(fields).every((field) => FIELD.test(field)), {
        error: "must name fields, e.g. status, or job.state for one inside another",
      })
      .default({}),
    "fields that the JSON of a 2xx must have with these values, dotted where one is inside another",
    "none",
  ),
  reconcile: described(
    text("an http:// or https:// URL").optional(),
    "template of a URL to `GET` after a lost answer: 2xx it was done, 404 it never arrived",
    "none",
  ),
  idempotent: described(
    z.boolean({ error: "must be true or false" }).optional(),
    "true: it may be repeated although it may have arrived, e.g. because the receiver honours the key",
    "true for `PUT` and `DELETE`",
  ),
});

type Complain = (path: readonly PropertyKey[], message: string) => void;

/** The section `actions.http`: a list of calls to addresses outside. */
export const httpSettings = z
  .array(
    entry.superRefine((call, context) => {
      const complain: Complain = (path, message) =>
        context.addIssue({ code: "custom", path: [...path], message });
      checkHeaders(call, complain);
      checkTemplates(call, complain);
    }),
    { error: "must be a list" },
  )
  .default([]);

type Entry = Internal<typeof entry>;

function checkHeaders(call: z.output<typeof entry>, complain: Complain): void {
  const seen = new Set<string>();
  for (const group of ["headers", "headers_from_files"] as const) {
    for (const [name, value] of Object.entries(call[group])) {
      const lower = name.toLowerCase();
      const wrong = RESERVED.includes(lower)
        ? "is set by the monitor or the connection, or must not leave: choose another header"
        : seen.has(lower)
          ? "is given twice; a header has one value"
          : HEADER.test(name)
            ? undefined
            : "must be the name of a header: letters, digits and dashes";
      seen.add(lower);
      if (wrong !== undefined) complain([group, name], wrong);
      else if (group === "headers" && value.includes("{{"))
        complain([group, name], "must be plain text: placeholders stand in url, body and reconcile only");
      else if (group === "headers" && !HEADER_VALUE.test(value))
        complain([group, name], "must be 1 to 4096 printable ASCII characters");
    }
  }
}

function checkTemplates(call: z.output<typeof entry>, complain: Complain): void {
  for (const key of ["url", "reconcile"] as const) {
    const value = call[key];
    const wrong = value === undefined ? undefined : checkUrlTemplate(value);
    if (wrong !== undefined) complain([key], wrong);
  }
  const wrong = call.body === undefined ? undefined : checkBodyTemplate(call.body, contentTypeOf(call));
  if (wrong !== undefined) complain(["body"], wrong);
}

/** The admin token stays here: no entry may send the file that holds it. */
export function checkSecrets(
  calls: readonly Entry[],
  { adminTokenFile }: { readonly adminTokenFile: string | undefined },
  complain: Complain,
): void {
  for (const [i, { headersFromFiles }] of calls.entries())
    for (const [name, file] of Object.entries(headersFromFiles))
      if (file === adminTokenFile)
        complain(
          [i, "headers_from_files", name],
          "must not be the file of the admin token: that never leaves for another address",
        );
}

/** One entry with every default resolved: `headers` in lower case, and what its templates need of an intent. */
export type HttpCall = ReturnType<typeof prepareCall>;

export function prepareCall(call: Entry) {
  const headers = lowered(call.headers);
  const contentType = contentTypeOf(call);
  const templates = [call.url, call.reconcile, placeOfBody(contentType) && call.body];
  const parsed = templates.map((value) => parseTemplate(value || ""));
  const right = parsed.flatMap((template) => ("problem" in template ? [] : template));
  return {
    ...call,
    headers: call.body === undefined ? headers : { "content-type": contentType, ...headers },
    headersFromFiles: lowered(call.headersFromFiles),
    idempotent: call.idempotent ?? (call.method === "PUT" || call.method === "DELETE"),
    parameters: [...new Set(right.flatMap(parametersOf))],
    needsAlert: right.some(({ names }) => names.includes("alert")),
  };
}

/** What a step on an entry must say: each parameter that its templates name. */
export function rulesOf({ parameters }: Pick<HttpCall, "parameters">): ParameterRules {
  return Object.fromEntries(
    parameters.map((name) => [name, { required: true, check: name === "region" ? anyRegion : plainText }]),
  );
}

const TEXT = /^[^\p{Cc}\p{Cs}]{1,1024}$/u;

const plainText: ParameterRule["check"] = (value) =>
  TEXT.test(value) ? undefined : "must be 1 to 1024 characters, none of them a control character";

function contentTypeOf({ headers }: Pick<Entry, "headers">): string {
  return lowered(headers)["content-type"] ?? "application/json";
}

function lowered(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
