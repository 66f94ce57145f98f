import { request } from "undici";
import { describe, expect, test } from "vitest";
import { type Arrived, answer, type Reply, VirtualNetwork } from "./network.ts";
import { VirtualTime } from "./time.ts";

/** Asks over a network on which every server does the same, and tells what came of it and when. */
async function ask(reply: Reply, options: { listens?: boolean; abortMs?: number } = {}) {
  const time = new VirtualTime();
  const arrived: Arrived[] = [];
  const servers = {
    listens: () => options.listens ?? true,
    handle(one: Arrived) {
      arrived.push(one);
      return reply;
    },
  };
  const network = new VirtualNetwork(time, servers, () => true);
  const controller = new AbortController();
  if (options.abortMs !== undefined)
    time.after(options.abortMs, () => controller.abort(new Error("gave up")));
  const came = request("http://service:8000/admin?x=1", {
    dispatcher: network,
    method: "POST",
    headers: { "X-Admin-Token": "t" },
    body: "hello",
    signal: controller.signal,
  })
    .then(async (r) => ({ status: r.statusCode, text: await r.body.text(), atMs: time.now }))
    .catch((error: Error & { code?: string }) => ({ error: error.code ?? error.message, atMs: time.now }));
  await time.runUntil(10_000);
  return { came: await Promise.race([came, Promise.resolve("nothing yet")]), arrived };
}

describe("undici's client on the virtual network", () => {
  test("gets an answer when it is due, and the server what was sent", async () => {
    const { came, arrived } = await ask(answer(200, "fine", { afterMs: 30 }));
    expect(came).toEqual({ status: 200, text: "fine", atMs: 30 });
    expect(arrived).toEqual([
      {
        host: "service:8000",
        method: "POST",
        path: "/admin?x=1",
        headers: { "x-admin-token": "t" },
        body: "hello",
      },
    ]);
  });

  test("is refused without a byte being sent", async () => {
    const { came, arrived } = await ask(answer(200, ""), { listens: false });
    expect(came).toMatchObject({ error: "ECONNREFUSED" });
    expect(arrived).toEqual([]);
  });

  test("sees a connection break, before the answer and in it", async () => {
    expect((await ask({ kind: "reset", afterMs: 5 })).came).toEqual({ error: "UND_ERR_SOCKET", atMs: 5 });
    const cut = { ...answer(200, "half"), end: "broken" } as Reply;
    expect((await ask(cut)).came).toMatchObject({ error: "UND_ERR_SOCKET" });
  });

  test("gives up on silence and on a body that drips, while the server has had the call", async () => {
    const silent = await ask({ kind: "silence" }, { abortMs: 700 });
    expect(silent.came).toEqual({ error: "gave up", atMs: 700 });
    expect(silent.arrived).toHaveLength(1);
    const body = Array.from({ length: 9 }, () => ({ afterMs: 400, data: "x" }));
    const drips = { ...answer(200, ""), body, end: "never" } as Reply;
    expect((await ask(drips, { abortMs: 1000 })).came).toEqual({ error: "gave up", atMs: 1000 });
  });
});
