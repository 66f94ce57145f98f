/** An answer other than success, with the JSON body it is sent with. */
export class HttpError extends Error {
  override readonly name: string = "HttpError";
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  /** `body.error` says in one sentence what is wrong. */
  constructor(
    status: number,
    body: { readonly error: string } & Readonly<Record<string, unknown>>,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(body.error);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** 400: a parameter (query or header) of an admin call is not what it must be. */
export class ParameterError extends HttpError {
  override readonly name = "ParameterError";

  constructor(problem: {
    readonly error: string;
    readonly parameter: string;
    readonly expected: string;
  }) {
    super(400, { error: problem.error, parameter: problem.parameter, expected: problem.expected });
  }
}

/** A setting of a service is not what it must be; the message names it and says what would be right. */
export class ServiceConfigError extends Error {
  override readonly name = "ServiceConfigError";
}
