import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export type AssistantBehaviour = (response: ServerResponse, prompt: string, request: IncomingMessage) => void;

/** For tests only: an assistant that does what it is told, right or wrong. */
export interface TestAssistant {
  readonly url: string;
  /** Requests received. */
  calls(): number;
  behave(behaviour: AssistantBehaviour): void;
  close(): Promise<void>;
}

export const GOOD_DECISION = { action: "clear_cache", confidence: 0.8, rationale: "stale entries" } as const;

export const answersWell: AssistantBehaviour = (response) =>
  sendText(response, JSON.stringify(GOOD_DECISION));

/** Answers 200 with a text. */
export function sendText(response: ServerResponse, text: string): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(text);
}

/** Answers with a status only. */
export function answersStatus(status: number): AssistantBehaviour {
  return (response) => void response.writeHead(status).end();
}

/** Starts it on a free port of loopback. */
export async function startTestAssistant(initial: AssistantBehaviour = answersWell): Promise<TestAssistant> {
  let behaviour = initial;
  let calls = 0;
  const server = createServer((request, response) => {
    calls += 1;
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (piece: string) => {
      body += piece;
    });
    request.on("end", () => {
      response.on("error", () => undefined);
      behaviour(response, (JSON.parse(body) as { prompt: string }).prompt, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the assistant has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    calls: () => calls,
    behave(next) {
      behaviour = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
