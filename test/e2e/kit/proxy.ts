import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";

/**
 * What becomes of a call of `POST /admin/mitigate`. `pass`: nothing; `lose`: it reaches the service, its answer never
 * arrives; `swallow`: it never reaches the service, and nothing answers.
 */
export type MitigateFate = "pass" | "lose" | "swallow";

export interface Proxy {
  readonly url: string;
  /** `host:port`. */
  readonly name: string;
  /** Calls of `POST /admin/mitigate` that have come in. */
  mitigateCalls(): number;
  setFate(fate: MitigateFate): void;
  close(): Promise<void>;
}

/** A proxy before one service that passes everything on, except that it can hang on mitigations. */
export async function startProxy(upstream: string, initial: MitigateFate): Promise<Proxy> {
  let fate = initial;
  let calls = 0;
  const server = createServer((incoming, outgoing) => {
    const mitigates = incoming.method === "POST" && incoming.url?.startsWith("/admin/mitigate") === true;
    if (mitigates) calls += 1;
    const own = mitigates ? fate : "pass";
    if (own === "swallow") incoming.resume();
    else pass({ upstream, incoming, outgoing, answers: own === "pass" });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");
  const name = `127.0.0.1:${address.port}`;
  return {
    url: `http://${name}`,
    name,
    mitigateCalls: () => calls,
    setFate: (next) => {
      fate = next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pass(call: {
  readonly upstream: string;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly answers: boolean;
}): void {
  const { upstream, incoming, outgoing, answers } = call;
  const { method = "GET", headers, url = "/" } = incoming;
  const onward = request(upstream + url, { method, headers, agent: false }, (answer) => {
    if (!answers) {
      answer.resume();
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  onward.on("error", () => outgoing.destroy());
  incoming.pipe(onward);
}
