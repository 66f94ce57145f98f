import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { NextFunction, Request, Response } from "express";
import { createMlflowStandIn, type MlflowStandIn } from "../../src/lab/drill/stand-ins/mlflow.ts";

const MLFLOW_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts";

// The stand-in for MLflow, and how it goes wrong.

/** How the server goes wrong. `artifact` faults spare the calls about metadata. */
export type Trouble =
  | { readonly kind: "html" }
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "hang" }
  | { readonly kind: "drip" }
  | { readonly kind: "json"; readonly body: unknown }
  | { readonly kind: "redirect"; readonly to: string }
  | { readonly kind: "artifact"; readonly change: (bytes: Buffer) => Buffer }
  | { readonly kind: "endless-artifact" };

export interface MlflowServer {
  readonly url: string;
  /** Requests seen, as `METHOD PATH`. */
  readonly seen: string[];
  /** Goes wrong from the next request on; undefined: works again. */
  trouble(trouble: Trouble | undefined): void;
  /** Registers an artifact as the next version, in a stage and under aliases; answers its number. */
  readonly register: MlflowStandIn["register"];
  /** Stops listening; `resume` listens again on the same port. */
  stop(): Promise<void>;
  resume(): Promise<void>;
}

/** Starts an empty server on a free port of loopback. */
export async function startMlflow(): Promise<MlflowServer> {
  const seen: string[] = [];
  let present: Trouble | undefined;
  const { app, register } = createMlflowStandIn({
    before: (request, response, next) => {
      seen.push(`${request.method} ${request.path}`);
      misbehave(present, request, response, next);
    },
    sent: (bytes) => (present?.kind === "artifact" ? present.change(Buffer.from(bytes)) : bytes),
  });
  let server = createServer(app);
  await listening(server, 0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    trouble: (trouble) => {
      present = trouble;
    },
    register,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    async resume() {
      server = createServer(app);
      await listening(server, port);
    },
  };
}

function misbehave(
  trouble: Trouble | undefined,
  request: Request,
  response: Response,
  next: NextFunction,
): void {
  switch (trouble?.kind) {
    case "html":
      response.type("html").send("<!doctype html><title>Sign in</title>");
      return;
    case "status":
      response.status(trouble.status).send("upstream failed");
      return;
    case "hang":
      return;
    case "drip": {
      response.type("json").write("{");
      const timer = setInterval(() => response.write(" "), 20);
      response.once("close", () => clearInterval(timer));
      return;
    }
    case "json":
      response.json(trouble.body);
      return;
    case "endless-artifact":
      if (request.method === "GET" && request.path.startsWith(MLFLOW_ARTIFACTS)) endless(response);
      else next();
      return;
    case "redirect":
      response.redirect(307, `${trouble.to}${request.originalUrl}`);
      return;
    default:
      next();
  }
}

function endless(response: Response): void {
  const chunk = Buffer.alloc(1024 * 1024);
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more);
  more();
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
}
