import type { IncomingHttpHeaders } from "node:http";
import { isAddress } from "./addresses.ts";

/** Why a call was not let in: it was made under a foreign name, or by a page of somebody else. */
export interface SiteProblem {
  readonly kind: "foreign_host" | "foreign_origin";
  /** For people, with what can be done about it. */
  readonly message: string;
}

/** Ends of names that nobody can register, so that no page of somebody else can have one. */
const PRIVATE = /(?:^|\.)(?:localhost|local|internal|svc|home\.arpa)$/;

/**
 * Keeps out pages of other sites that a browser shows on a machine that reaches this one. A name that a foreign page was
 * loaded from, and that now leads here (DNS rebinding), is refused by the `host` header: what is called is an address, a
 * name without a dot, one that only a private network can have, or one of `names`, which may begin with `*.`. What
 * changes something is refused where a browser says that another site's page asks for it (`origin`, `sec-fetch-site`);
 * programs say neither.
 * @param options.setting names what lets further names in
 */
export function createSiteCheck(options: { readonly names: readonly string[]; readonly setting: string }): {
  host(headers: IncomingHttpHeaders): SiteProblem | undefined;
  origin(headers: IncomingHttpHeaders): SiteProblem | undefined;
} {
  const names = options.names.map((name) => name.toLowerCase());
  const isNamed = (host: string) =>
    names.some((name) => (name.startsWith("*.") ? host.endsWith(name.slice(1)) : host === name));
  const isOurs = (host: string) =>
    isAddress(host) || !host.includes(".") || PRIVATE.test(host) || isNamed(host);
  return {
    host(headers) {
      const host = nameOf(headers.host ?? "");
      if (host !== undefined && isOurs(host)) return undefined;
      return {
        kind: "foreign_host",
        message: `this is not called ${shown(headers.host)} here; ${options.setting} says by which further names it is`,
      };
    },
    origin(headers) {
      const site = headers["sec-fetch-site"];
      const { origin } = headers;
      const same =
        site === undefined
          ? origin === undefined || isSame(origin, headers.host)
          : site === "same-origin" || site === "none";
      if (same || (origin !== undefined && isNamed(nameOf(hostOf(origin)) ?? ""))) return undefined;
      const who = origin === undefined ? "another site" : shown(origin);
      return { kind: "foreign_origin", message: `a page of ${who} may not ask for this` };
    },
  };
}

function isSame(origin: string, host: string | undefined): boolean {
  const theirs = hostOf(origin);
  return theirs !== "" && theirs === host?.toLowerCase();
}

function hostOf(origin: string): string {
  return URL.parse(origin)?.host ?? "";
}

/** The name of a `host` header, in lower case, without port, brackets and a last dot; undefined: it is none. */
function nameOf(host: string): string | undefined {
  const url = /[/?#@\\\s]/.test(host) ? null : URL.parse(`http://${host}/`);
  return url?.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

function shown(text: string | undefined): string {
  return JSON.stringify((text ?? "").slice(0, 100));
}
