/** The server's HTTP API: JSON in, JSON out, problem details as errors. */

export interface FieldProblem {
  field: string;
  message: string;
}

/** What the server refused, and why. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly errors: FieldProblem[];

  constructor(status: number, body: Partial<{ code: string; title: string; detail: string; errors: FieldProblem[] }>) {
    super(body.detail || body.title || `The server answered with status ${status}`);
    this.status = status;
    this.code = body.code ?? "unknown";
    this.title = body.title ?? "The server refused that";
    this.errors = body.errors ?? [];
  }
}

/** No answer: the server is down, or the network is. */
export class NoAnswer extends Error {
  constructor() {
    super("The server does not answer: is it running, and can this machine reach it?");
  }
}

export interface Answer<T> {
  data: T;
  etag: string | null;
  status: number;
}

interface Options {
  body?: unknown;
  ifMatch?: string | null;
  signal?: AbortSignal;
}

let onSignedOut: () => void = () => undefined;

/** Tell the client what to do when a session has ended. */
export function whenSignedOut(handler: () => void): void {
  onSignedOut = handler;
}

/** One request. Throws ApiError, NoAnswer, and AbortError where the caller gave up. */
export async function request<T>(method: string, path: string, options: Options = {}): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.ifMatch) headers["If-Match"] = options.ifMatch;
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new NoAnswer();
  }
  const text = await answer.text();
  const data: unknown = text ? parsed(text) : null;
  if (!answer.ok) {
    if (answer.status === 401 && path !== "/api/auth/login") onSignedOut();
    throw new ApiError(answer.status, (data ?? {}) as object);
  }
  return { data: data as T, etag: answer.headers.get("ETag"), status: answer.status };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { detail: text.slice(0, 300) };
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await request<T>("GET", path, { signal })).data;
}

export async function post<T>(path: string, body?: unknown): Promise<T> {
  return (await request<T>("POST", path, { body })).data;
}

export async function put<T>(path: string, body: unknown): Promise<T> {
  return (await request<T>("PUT", path, { body })).data;
}

export async function del<T>(path: string): Promise<T> {
  return (await request<T>("DELETE", path)).data;
}

/** A path with its parameters, those that are not given left out. */
export function withQuery(path: string, parameters: Record<string, string | number | boolean | string[] | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (Array.isArray(value)) value.forEach((one) => query.append(name, one));
    else if (value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** What went wrong, as a sentence. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
