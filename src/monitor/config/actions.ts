import { z } from "zod";
import { described, name, seconds, text } from "../../common/settings/fields.ts";
import {
  checkBodyTemplate,
  checkUrlTemplate,
  type HttpCall,
  parametersOf,
  parseTemplate,
  placeOfBody,
} from "../actions/http-call.ts";
import type { Complain } from "./resolve.ts";
import type { Config } from "./types.ts";

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

const status = z
  .number({ error: "must be a status" })
  .refine((v) => (Number.isInteger(v) && v >= 200 && v <= 299) || DONE_BEFORE.includes(v), {
    error: `must be a status from 200 to 299, or one that says that it was done before: ${DONE_BEFORE.join(", ")}`,
  });

const httpCall = z.strictObject({
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

type HttpCallConfig = z.output<typeof httpCall>;

/** The section `actions`. */
export const actionsSchema = z
  .strictObject({
    kubernetes: z
      .strictObject({
        kubeconfig: text("a kubeconfig file").optional(),
        context: text("a context of the kubeconfig file").optional(),
      })
      .prefault({}),
    http: z.array(httpCall, { error: "must be a list" }).default([]),
  })
  .prefault({});

/** What the section comes to; what is wrong only beside something else is complained of. */
export function resolveActions(
  given: z.output<typeof actionsSchema>,
  beside: { readonly targets: readonly string[]; readonly tokenFile: string | undefined },
  complain: Complain,
): Config["actions"] {
  const { kubeconfig, context } = given.kubernetes;
  if (context !== undefined && kubeconfig === undefined) {
    complain(
      ["actions", "kubernetes", "context"],
      "needs actions.kubernetes.kubeconfig: a pod's own service account has no contexts",
    );
  }
  const seen = new Map(beside.targets.map((name, n) => [name, `target ${n + 1}`]));
  const http = given.http.map((call, i) => {
    const at = (...path: PropertyKey[]): PropertyKey[] => ["actions", "http", i, ...path];
    const taken = seen.get(call.name);
    if (taken !== undefined)
      complain(at("name"), `"${call.name}" is already the name of ${taken}; each must be unique`);
    seen.set(call.name, `actions.http[${i}]`);
    checkHeaders(call, beside.tokenFile, (path, message) => complain(at(...path), message));
    return resolveCall(call, (path, message) => complain(at(...path), message));
  });
  return { kubernetes: { kubeconfig, context }, http };
}

function checkHeaders(call: HttpCallConfig, tokenFile: string | undefined, complain: Complain): void {
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
      else if (group === "headers_from_files" && value === tokenFile)
        complain(
          [group, name],
          "must not be the file of the admin token: that never leaves for another address",
        );
    }
  }
}

function resolveCall(call: HttpCallConfig, complain: Complain): HttpCall {
  const contentType = contentTypeOf(call);
  for (const key of ["url", "reconcile"] as const) {
    const value = call[key];
    const wrong = value === undefined ? undefined : checkUrlTemplate(value);
    if (wrong !== undefined) complain([key], wrong);
  }
  const wrong = call.body === undefined ? undefined : checkBodyTemplate(call.body, contentType);
  if (wrong !== undefined) complain(["body"], wrong);
  const templates = [call.url, call.reconcile, placeOfBody(contentType) && call.body];
  const parameters = templates.flatMap((value) => {
    const template = parseTemplate(value ?? "");
    return "problem" in template ? [] : parametersOf(template);
  });
  return {
    name: call.name,
    method: call.method,
    url: call.url,
    headers: {
      ...(call.body === undefined ? {} : { "content-type": contentType }),
      ...lowered(call.headers),
    },
    headersFromFiles: lowered(call.headers_from_files),
    body: call.body,
    timeoutMs: 1000 * call.timeout_seconds,
    expectStatus: call.expect_status,
    reconcile: call.reconcile,
    idempotent: call.idempotent ?? (call.method === "PUT" || call.method === "DELETE"),
    parameters: [...new Set(parameters)],
  };
}

function contentTypeOf({ headers }: HttpCallConfig): string {
  return lowered(headers)["content-type"] ?? "application/json";
}

function lowered(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
