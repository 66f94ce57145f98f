import { type ParameterProblem, REGION_PLACEHOLDER } from "../shared/parameters.ts";

/** Where a value stands, and so how it is escaped. */
export type Place = "url" | "json" | "form";

/** A text with placeholders: literal pieces, and between each two of them a name. */
export interface Template {
  readonly literals: readonly string[];
  readonly names: readonly string[];
}

/** Values by the name of their placeholder. */
export type Values = Readonly<Record<string, string | undefined>>;

const PLACEHOLDERS = "{{intent.id}}, {{target}}, {{alert}}, {{region}}, {{parameters.NAME}}";
const PARAMETER = /^parameters\.([a-z][a-z0-9_]{0,63})$/;
const FIXED: readonly string[] = ["intent.id", "target", "alert", "region"];
/** Stands in for every value when a template is tried out: it makes no JSON, escape or dot segment right by chance. */
const SAMPLE = "x";

/** @returns the template, or what is wrong with the text and what would be right. */
export function parseTemplate(text: string): Template | { readonly problem: string } {
  const literals: string[] = [];
  const names: string[] = [];
  let from = 0;
  for (;;) {
    const open = text.indexOf("{{", from);
    if (open < 0) return { literals: [...literals, text.slice(from)], names };
    const close = text.indexOf("}}", open);
    const name = close < 0 ? undefined : text.slice(open + 2, close).trim();
    if (name === undefined || !(FIXED.includes(name) || PARAMETER.test(name))) {
      const shown = text.slice(open, Math.min(close < 0 ? text.length : close + 2, open + 60));
      return { problem: `has the unknown placeholder ${JSON.stringify(shown)}; there are ${PLACEHOLDERS}` };
    }
    literals.push(text.slice(from, open));
    names.push(name);
    from = close + 2;
  }
}

/** Parameters that a template needs of an intent. */
export function parametersOf({ names }: Template): string[] {
  const needed = names.map((name) => (name === "region" ? "region" : PARAMETER.exec(name)?.[1]));
  return [...new Set(needed)].filter((name) => name !== undefined);
}

/** How the body of a call is escaped; undefined: in a body of this type nothing may stand in for a value. */
export function placeOfBody(contentType: string): Place | undefined {
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type === "application/json" || type.endsWith("+json")) return "json";
  return type === "application/x-www-form-urlencoded" ? "form" : undefined;
}

/** @returns what is wrong with the template of a URL, or undefined. */
export function checkUrlTemplate(text: string): string | undefined {
  const template = parseTemplate(text);
  if ("problem" in template) return template.problem;
  const right =
    "must be an http:// or https:// URL without user or fragment, with placeholders in its path and query only";
  if (!/^https?:\/\/[^/?#\s@{}]+([/?]|$)/.test(template.literals[0] ?? "")) return right;
  if (template.names.length > 0 && !/^https?:\/\/[^/?]+[/?]/.test(template.literals[0] ?? "")) return right;
  const tried = fill(template, "url", () => SAMPLE);
  const url = URL.parse(tried);
  if (url === null || tried.includes("#") || url.username !== "" || url.password !== "") return right;
  if (url.pathname !== pathOf(tried) && !(pathOf(tried) === "" && url.pathname === "/")) {
    return `must give its path as it is sent: ${url.pathname.slice(0, 100)}`;
  }
  return undefined;
}

/** @returns what is wrong with the template of a body of this type, or undefined. */
export function checkBodyTemplate(text: string, contentType: string): string | undefined {
  const place = placeOfBody(contentType);
  const template = parseTemplate(text);
  if (place === undefined) {
    return text.includes("{{")
      ? "can hold placeholders only as application/json or application/x-www-form-urlencoded; set the header content-type"
      : undefined;
  }
  if ("problem" in template) return template.problem;
  if (place === "json" && !isJson(fill(template, place, () => SAMPLE))) {
    return template.names.length === 0
      ? "must be JSON, as the header content-type says"
      : 'must be JSON with placeholders inside its strings only, e.g. {"pool":"{{parameters.pool}}"}';
  }
  return undefined;
}

/** A URL with its values in place, or why it cannot be called. */
export function renderUrl(text: string, values: Values): { readonly url: string } | ParameterProblem {
  const template = parseTemplate(text);
  if ("problem" in template) return { parameter: "url", message: template.problem };
  const missing = firstUnusable(template, values);
  if (missing !== undefined) return missing;
  const url = fill(template, "url", (name) => values[name] ?? "");
  const parsed = URL.parse(url);
  // A value like `..` would lead to another path than the one that was configured.
  if (parsed === null || (parsed.pathname !== pathOf(url) && pathOf(url) !== "")) {
    const named = template.names.map((name) => `{{${name}}}`).join(", ");
    return { parameter: "url", message: `leads elsewhere with these values of ${named}` };
  }
  return { url };
}

/** A body with its values in place, or why it cannot be sent. */
export function renderBody(
  text: string,
  values: Values,
  contentType: string,
): { readonly body: string } | ParameterProblem {
  const place = placeOfBody(contentType);
  const template = parseTemplate(text);
  // Without a form that is known nothing is filled in, and `{{` is what it is.
  if (place === undefined) return { body: text };
  if ("problem" in template) return { parameter: "body", message: template.problem };
  return firstUnusable(template, values) ?? { body: fill(template, place, (name) => values[name] ?? "") };
}

function firstUnusable({ names }: Template, values: Values): ParameterProblem | undefined {
  for (const name of names) {
    const value = values[name];
    if (value === undefined) return { parameter: name, message: "is needed by the template and not known" };
    if (value === REGION_PLACEHOLDER) {
      return { parameter: name, message: `is still ${REGION_PLACEHOLDER}: no region was chosen` };
    }
    if (!value.isWellFormed()) return { parameter: name, message: "is not well-formed text" };
  }
  return undefined;
}

function fill({ literals, names }: Template, place: Place, value: (name: string) => string): string {
  return literals
    .map((literal, n) => {
      const name = names[n];
      return name === undefined ? literal : literal + escaped(value(name), place);
    })
    .join("");
}

function escaped(value: string, place: Place): string {
  if (place === "json") return JSON.stringify(value).slice(1, -1);
  return encodeURIComponent(value).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The path of a URL as it is written. */
function pathOf(url: string): string {
  return /^https?:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? "";
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
