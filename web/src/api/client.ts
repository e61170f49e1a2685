/** Talking to the server: one request function, and one error that says what a person can do. */

export interface ProblemBody {
  status: number;
  code: string;
  title?: string;
  detail?: string;
  fix?: string | null;
  [extra: string]: unknown;
}

/** An answer that is not the wanted one, in the server's own words. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly fix: string | null;
  readonly body: ProblemBody;

  constructor(body: ProblemBody) {
    super(body.detail ?? body.title ?? `The server answered ${body.status}.`);
    this.status = body.status;
    this.code = body.code;
    this.fix = body.fix ?? null;
    this.body = body;
  }
}

/** The problem that any thrown value stands for. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem({ status: 0, code: 'unexpected', detail });
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface RequestOptions {
  body?: unknown;
  signal?: AbortSignal;
  /** Repeats of one intention carry the same key, so that the server acts once. */
  idempotencyKey?: string;
}

/** A random key for one intention; works without a secure context too. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Sends one request and reads its JSON; a 204 or 202 without a body reads as undefined. */
export async function request<T>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(method, path, options);
  const text = await response.text();
  if (!response.ok) throw problemOf(response, text);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

async function send(method: Method, path: string, options: RequestOptions): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json' };
  const init: RequestInit = { method, headers, credentials: 'same-origin' };
  if (method === 'POST') headers['idempotency-key'] = options.idempotencyKey ?? newIdempotencyKey();
  if (options.body !== undefined) {
    headers['content-type'] = 'application/json';
    init.body = JSON.stringify(options.body);
  }
  if (options.signal) init.signal = options.signal;
  try {
    return await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Problem({
      status: 0,
      code: 'unreachable',
      detail: 'Journeyman does not answer.',
      fix: 'Check that journeyman up is still running, then try again.',
    });
  }
}

function problemOf(response: Response, text: string): Problem {
  try {
    const body = JSON.parse(text) as Partial<ProblemBody>;
    if (typeof body.code === 'string')
      return new Problem({ ...body, status: response.status, code: body.code });
  } catch {
    // Not JSON: something between us and the server answered.
  }
  return new Problem({
    status: response.status,
    code: 'unknown_answer',
    detail: `The server answered ${response.status} ${response.statusText}`.trim().concat('.'),
  });
}
