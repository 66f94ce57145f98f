import { gzipSync } from "node:zlib";
import { Agent } from "undici";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  drip,
  type FaultHandler,
  type FaultServer,
  flood,
  hang,
  reset,
  respond,
  respondJson,
  startFaultServer,
  truncate,
} from "../../../test/setup/fault-server.ts";
import { excerpt, exchange, type HttpRequest } from "./exchange.ts";
import { exchangeJson } from "./json.ts";
import { retryAfterMs } from "./retry-after.ts";

const CAP = 10_000;
/** Long after any deadline here, and well below the machine's worst pause. */
const SOON_MS = 15_000;
let server: FaultServer;
const dispatcher = new Agent();
beforeAll(async () => {
  server = await startFaultServer(hang());
});
afterAll(async () => {
  await dispatcher.destroy();
  await server.close();
});

const ask = (handler: FaultHandler, more: Partial<HttpRequest> = {}) => {
  server.behave(handler);
  return exchange({ url: server.url, dispatcher, maxBytes: CAP, timeoutMs: 5_000, ...more });
};

test.each([200, 204, 404, 500])("a whole answer is one whatever its status: %i", async (status) => {
  const body = status === 204 ? "" : "text";
  const result = await ask(respond({ status, body, headers: { "x-one": "1" } }));
  expect(result).toMatchObject({ ok: true, status, headers: { "x-one": "1" } });
  expect(result.ok && result.body.toString()).toBe(body);
});

test("method, path, query, headers and body arrive as they were given", async () => {
  let seen = "";
  await ask(
    (at) => {
      seen = `${at.head.split("\r\n")[0]} ${/^x-key: (.*)$/m.exec(at.head)?.[1]} ${at.body}`;
      respond({})(at);
    },
    { url: `${server.url}/a/b?c=d%20e`, method: "PUT", headers: { "x-key": "k" }, body: Buffer.from("ä") },
  );
  expect(seen).toBe("PUT /a/b?c=d%20e HTTP/1.1 k ä");
});

describe("an answer that is not whole", () => {
  const early = ({ socket }: Parameters<FaultHandler>[0]) => socket.write("HTTP/1.1 103 Early\r\n\r\n");
  const cases: [string, FaultHandler, string, RegExp, boolean][] = [
    ["never begins", hang(), "timeout", /^no answer within 300 ms$/, false],
    ["never begins after an interim one", early, "timeout", /^no answer within 300 ms$/, false],
    [
      "drips",
      drip({ body: "x".repeat(99), everyMs: 20 }),
      "timeout",
      /^the answer was not complete within 300 ms$/,
      true,
    ],
    ["breaks off", truncate("0123456789"), "broken_off", /^the answer broke off: /, true],
    ["is a reset", reset(), "lost", /ECONNRESET|UND_ERR_SOCKET/, false],
    [
      "is of another protocol",
      ({ socket }) => void socket.write("SSH-2.0\r\n\r\n"),
      "not_http",
      /not an HTTP/,
      false,
    ],
    [
      "names 100 MB",
      respond({ headers: { "content-length": "104857600" } }),
      "too_large",
      /of 104857600 bytes is over/,
      true,
    ],
    [
      "sends 100 MB",
      flood({ bytes: 1e8, contentType: "text/plain" }),
      "too_large",
      /over the cap of 10000/,
      true,
    ],
  ];
  test.each(cases)("because it %s", async (_, handler, kind, detail, begun) => {
    const began = performance.now();
    const result = await ask(handler, { timeoutMs: kind === "timeout" ? 300 : SOON_MS });
    expect(result).toMatchObject({ ok: false, kind, detail: expect.stringMatching(detail), sent: true });
    expect(!result.ok && result.answer?.status).toBe(begun ? 200 : undefined);
    expect(performance.now() - began).toBeLessThan(SOON_MS);
  });

  test("keeps the beginning of what had arrived", async () => {
    const result = await ask(truncate("0123456789"));
    expect(!result.ok && result.answer?.body.toString()).toBe("01234");
  });

  test.each([301, 302, 303, 307, 308])(
    "because it is a redirect %i, which is not followed",
    async (status) => {
      const elsewhere = await startFaultServer(respondJson({}));
      const headers = { location: `${elsewhere.url}/`, "content-length": "7" };
      const result = await ask(respond({ status, headers }), { headers: { "x-admin-token": "t" } });
      expect(result).toMatchObject({ ok: false, kind: "redirect", answer: { status } });
      expect(elsewhere.requests()).toBe(0);
      await elsewhere.close();
    },
  );
});

describe("nothing was sent", () => {
  test("where nobody listens", async () => {
    const closed = await startFaultServer(hang());
    await closed.close();
    const result = await ask(hang(), { url: closed.url });
    expect(result).toMatchObject({ ok: false, kind: "refused", sent: false, answer: undefined });
    expect(!result.ok && result.detail).toContain("ECONNREFUSED");
  });

  test.each<Partial<HttpRequest>>([
    { url: "no address" },
    { url: "ftp://127.0.0.1/" },
    { headers: { "x-key": "a\nb" } },
  ])("for a request that cannot be made: %j", async (more) => {
    expect(await ask(respond({}), more)).toMatchObject({ ok: false, kind: "mistake", sent: false });
  });

  test("where no connection comes about before the deadline", async () => {
    const never = new Agent({ connect: () => undefined });
    const result = await ask(hang(), { timeoutMs: 50, dispatcher: never });
    expect(result).toMatchObject({ ok: false, kind: "timeout", sent: false });
  });

  test("when it was cancelled before", async () => {
    const before = server.requests();
    const result = await ask(respond({}), { signal: AbortSignal.abort() });
    expect(result).toMatchObject({ ok: false, kind: "cancelled", detail: "cancelled", sent: false });
    expect(server.requests()).toBe(before);
  });
});

describe("the caller's signal", () => {
  test("ends it at once, and as what it says", async () => {
    const { signal, abort } = controllerOf();
    expect(await ask(() => abort(), { signal })).toMatchObject({ kind: "cancelled", sent: true });
    const late = AbortSignal.timeout(100);
    expect(await ask(hang(), { signal: late, timeoutMs: undefined })).toMatchObject({
      kind: "timeout",
      detail: "no complete answer before the deadline",
    });
  });

  test("keeps no listener, and a connection that was given up is not used again", async () => {
    const { signal } = controllerOf();
    const add = vi.spyOn(signal, "addEventListener");
    const remove = vi.spyOn(signal, "removeEventListener");
    await ask(hang(), { signal, timeoutMs: 50 });
    expect(await ask(respondJson({}), { signal })).toMatchObject({ ok: true });
    expect([add.mock.calls.length, remove.mock.calls.length]).toEqual([2, 2]);
  });
});

describe("gzip", () => {
  const zipped = (body: Buffer) => respond({ headers: { "content-encoding": "gzip" }, body });

  test("is unzipped", async () => {
    const result = await ask(zipped(gzipSync("hello")));
    expect(result.ok && result.body.toString()).toBe("hello");
    expect(await ask(zipped(Buffer.alloc(0)))).toMatchObject({ ok: true, body: Buffer.alloc(0) });
  });

  test("of a bomb is cut off at the cap", async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    expect(await ask(zipped(bomb), { maxBytes: 100_000 })).toMatchObject({ ok: false, kind: "too_large" });
  });

  test.each([
    ["half of it", gzipSync("hello").subarray(0, 12)],
    ["no gzip", Buffer.from("hello")],
  ])("that cannot be read is said: %s", async (_, body) => {
    const result = await ask(zipped(body));
    expect(result).toMatchObject({ ok: false, kind: "broken_off", answer: { status: 200 } });
    expect(!result.ok && result.detail).toContain("cannot be unzipped");
  });
});

describe("JSON", () => {
  const json = (handler: FaultHandler, body?: unknown) => {
    server.behave(handler);
    return exchangeJson({ url: server.url, dispatcher, maxBytes: CAP, timeoutMs: 5_000, json: body });
  };

  test("goes and comes", async () => {
    const echo: FaultHandler = (at) => respondJson({ got: JSON.parse(at.body) }, 201)(at);
    expect(await json(echo, { a: 1 })).toMatchObject({ ok: true, status: 201, json: { got: { a: 1 } } });
  });

  test.each<[string, FaultHandler, string, string]>([
    ["a status of its own", respondJson({}, 404), "bad_status", "HTTP 404"],
    ["HTML", respond({ body: "<html>" }), "not_json", "the answer is not JSON"],
    ["nothing", respond({ status: 204 }), "not_json", "the answer is empty"],
    [
      "a thousand levels",
      respond({ body: "[".repeat(999) + "]".repeat(999) }),
      "not_json",
      "the answer has more than 64 levels",
    ],
    ["half an answer", truncate('{"a":1}'), "broken_off", expect.any(String) as never],
  ])("is not %s", async (_, handler, kind, detail) => {
    expect(await json(handler)).toMatchObject({ ok: false, kind, detail, sent: true });
  });

  test("may have 64 levels", async () => {
    expect(await json(respond({ body: "[".repeat(64) + "]".repeat(64) }))).toMatchObject({ ok: true });
  });
});

test.each([
  ["2", undefined, 2_000],
  ["0", undefined, 0],
  ["999999999", undefined, 86_400_000],
  ["Mon, 01 Jan 2001 00:00:03 GMT", "Mon, 01 Jan 2001 00:00:00 GMT", 3_000],
  ["Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 01 Jan 2001 00:00:03 GMT", 0],
  ["Mon, 01 Jan 2001 00:00:03 GMT", undefined, undefined],
  ["soon", "Mon, 01 Jan 2001 00:00:00 GMT", undefined],
  ["-1", undefined, undefined],
  [undefined, undefined, undefined],
])("Retry-After %s at %s is a wait of %s ms", (value, date, ms) => {
  expect(retryAfterMs({ "retry-after": value, date })).toBe(ms);
});

test("an excerpt is one line", () => {
  expect(excerpt(Buffer.from(" a\n\u0007 b "))).toBe("a b");
  expect(excerpt(Buffer.from("x".repeat(99)), 5)).toBe("xxxxx…");
});

function controllerOf(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
