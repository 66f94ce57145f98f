import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkBodyTemplate,
  checkUrlTemplate,
  parametersOf,
  parseTemplate,
  placeOfBody,
  renderBody,
  renderUrl,
  type Template,
} from "./template.ts";

const parsed = (text: string): Template => {
  const template = parseTemplate(text);
  if ("problem" in template) throw new Error(template.problem);
  return template;
};

describe("a template", () => {
  it("knows its placeholders, with and without spaces, and what they need", () => {
    const text = "a{{ intent.id }}b{{target}}{{alert}}{{region}}{{parameters.pool}}{{parameters.pool}}c";
    expect(parsed(text)).toEqual({
      literals: ["a", "b", "", "", "", "", "c"],
      names: ["intent.id", "target", "alert", "region", "parameters.pool", "parameters.pool"],
    });
    expect(parametersOf(parsed(text))).toEqual(["region", "pool"]);
    expect(parametersOf(parsed("nothing }} here"))).toEqual([]);
  });

  it.each([
    "{{token}}",
    "{{parameters}}",
    "{{parameters.}}",
    "{{parameters.A}}",
    "{{parameters.a.b}}",
    "{{intent}}",
    "{{intent.kind}}",
    "{{}}",
    "{{ region",
    "{{{region}}}",
    "{{region}} {{",
    "{{constructor}}",
  ])("refuses %s, and says what there is", (text) => {
    expect(parseTemplate(`x${text}`)).toEqual({
      problem: expect.stringMatching(/^has the unknown placeholder ".*"; there are \{\{intent\.id\}\}, /),
    });
  });
});

describe("the URL of a call", () => {
  it.each([
    "http://lb",
    "https://lb.example:8443/",
    "https://lb/pools/{{parameters.pool}}/drain?region={{region}}&by={{intent.id}}",
    "http://[::1]:80/x?{{target}}",
    "http://lb?x={{region}}",
  ])("may be %s", (text) => {
    expect(checkUrlTemplate(text)).toBeUndefined();
  });

  it.each([
    "ftp://lb/",
    "lb/x",
    "//lb/x",
    "http://",
    "http://{{target}}/x",
    "http://lb{{target}}/x",
    "http://lb:{{target}}/x",
    "{{parameters.url}}",
    "http://u:p@lb/x",
    "http://lb/x#y",
    "http://lb/{{region}}#y",
    "http://lb:99999/x",
  ])("must not be %s", (text) => {
    expect(checkUrlTemplate(text)).toMatch(
      /^must be an http:\/\/ or https:\/\/ URL without user or fragment/,
    );
  });

  it("must be written as it is sent", () => {
    expect(checkUrlTemplate("http://lb/a/../b")).toBe("must give its path as it is sent: /b");
    expect(checkUrlTemplate("http://lb/a b")).toBe("must give its path as it is sent: /a%20b");
  });

  it("carries values as one component, whatever they hold", () => {
    const url = renderUrl("http://lb/p/{{target}}?r={{region}}", { target: "a/b?c#d&e", region: "x y+z'" });
    expect(url).toEqual({ url: "http://lb/p/a%2Fb%3Fc%23d%26e?r=x%20y%2Bz%27" });
  });

  it.each([
    ["..", "http://lb/pools/{{target}}/drain"],
    [".", "http://lb/pools/{{target}}/drain"],
    [".", "http://lb/pools/{{target}}"],
    ["..", "http://lb/pools/{{target}}"],
    [".", "http://lb/pools/.{{target}}/drain"],
  ])("does not lead elsewhere with %j in %s", (target, text) => {
    expect(renderUrl(text, { target })).toEqual({
      parameter: "url",
      message: "leads elsewhere with these values of {{target}}",
    });
  });

  it("stays at its address, path and query with any value", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), (target, region) => {
        const made = renderUrl("https://lb.example/p/{{target}}/q?r={{region}}&s=1", { target, region });
        if (!("url" in made)) return;
        const url = new URL(made.url);
        const [, p, name = "", q, ...rest] = url.pathname.split("/");
        expect([url.origin, p, q, rest, url.hash]).toEqual(["https://lb.example", "p", "q", [], ""]);
        expect(decodeURIComponent(name)).toBe(target);
        expect([...url.searchParams]).toEqual([
          ["r", region],
          ["s", "1"],
        ]);
      }),
    );
  });
});

describe("the body of a call", () => {
  const JSON_TYPE = "application/json; charset=utf-8";

  it.each(["application/json", "application/merge-patch+json", "Application/JSON;charset=utf-8"])(
    "of type %s is JSON",
    (type) => {
      expect(placeOfBody(type)).toBe("json");
    },
  );

  it.each([
    ['{"pool":"{{parameters.pool}}"}', undefined],
    ['{"{{target}}":{"a":["{{region}}"]}}', undefined],
    ["{}", undefined],
    ["{pool}", /^must be JSON, as the header content-type says$/],
    ['{"seconds":{{parameters.seconds}}}', /placeholders inside its strings only/],
    ['{"a":"\\{{region}}"}', /placeholders inside its strings only/],
    ['{"a":"\\u00{{region}}"}', /placeholders inside its strings only/],
    ['{"a":"{{secret}}"}', /^has the unknown placeholder "\{\{secret\}\}"/],
  ])("as JSON: %s", (text, wrong) => {
    const said = checkBodyTemplate(text, JSON_TYPE);
    if (wrong === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(wrong);
  });

  it("of another type is sent as it is, and holds no placeholders", () => {
    expect(checkBodyTemplate("plain {{region}}", "text/plain")).toMatch(/^can hold placeholders only as/);
    expect(checkBodyTemplate("plain", "text/plain")).toBeUndefined();
    expect(renderBody("plain", {}, "text/plain")).toEqual({ body: "plain" });
  });

  it("as JSON holds each value as one string, whatever it is", () => {
    const text = '{"a":"<{{target}}>","{{region}}":[1]}';
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (target, region) => {
        fc.pre(region !== "a" && region !== "__proto__");
        const made = renderBody(text, { target, region }, JSON_TYPE);
        if (!("body" in made)) throw new Error(made.message);
        expect(JSON.parse(made.body)).toEqual({ a: `<${target}>`, [region]: [1] });
      }),
    );
  });

  it("as a form holds each value as one field", () => {
    const made = renderBody("a={{target}}&b=1", { target: "x&b=2 + é" }, "application/x-www-form-urlencoded");
    if (!("body" in made)) throw new Error(made.message);
    expect([...new URLSearchParams(made.body)]).toEqual([
      ["a", "x&b=2 + é"],
      ["b", "1"],
    ]);
  });
});

describe("nothing is made of a value", () => {
  it.each([
    [{}, { parameter: "alert", message: "is needed by the template and not known" }],
    [{ alert: "$region" }, { parameter: "alert", message: "is still $region: no region was chosen" }],
    [{ alert: "\ud800" }, { parameter: "alert", message: "is not well-formed text" }],
  ])("that cannot be used: %j", (values, problem) => {
    expect(renderUrl("http://lb/{{alert}}", values)).toEqual(problem);
    expect(renderBody('{"a":"{{alert}}"}', values, "application/json")).toEqual(problem);
  });
});
