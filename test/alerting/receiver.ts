import { createServer } from "node:http";

/** One alert of Alertmanager's webhook, version 4. */
interface ToldAlert {
  readonly status: "firing" | "resolved";
  readonly fingerprint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
}

interface Webhook {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: {
    readonly version: string;
    readonly receiver: string;
    readonly alerts: readonly ToldAlert[];
  };
}

export interface Receiver {
  readonly url: string;
  /** What came, oldest first. */
  readonly webhooks: readonly Webhook[];
  /** Alerts of that name, in the order in which they were told. */
  told(alertname: string): ToldAlert[];
  /** Answers with that status from now on; a redirect goes to `location`. */
  answer(status: number, location?: string): void;
  close(): Promise<void>;
}

/** An HTTP server on loopback that takes Alertmanager's webhooks and remembers them. */
export async function startReceiver(): Promise<Receiver> {
  const webhooks: Webhook[] = [];
  let status = 200;
  let headers: Record<string, string> = {};
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Webhook["body"];
      webhooks.push({ path: request.url ?? "", authorization: request.headers.authorization, body });
      response.writeHead(status, headers).end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the receiver has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    webhooks,
    told: (name) => webhooks.flatMap((w) => w.body.alerts).filter((a) => a.labels.alertname === name),
    answer: (next, location) => {
      status = next;
      headers = location === undefined ? {} : { location };
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
