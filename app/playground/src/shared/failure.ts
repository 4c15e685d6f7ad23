/** Failures of requests, with messages for users. */

export type FailureKind =
  | 'unauthenticated'
  | 'too-large'
  | 'unreachable'
  | 'busy'
  | 'deleted'
  | 'refused'
  | 'unexpected';

export class Failure extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string) {
    super(message);
    this.name = 'Failure';
    this.kind = kind;
  }
}

export interface GraphQLReply<Data> {
  data?: Data | null;
  errors?: ReadonlyArray<{ message: string; extensions?: Record<string, unknown> }>;
}

export function unreachable(): Failure {
  return new Failure(
    'unreachable',
    'The service cannot be reached. Check your connection, then try again.',
  );
}

export function signInFailed(): Failure {
  return new Failure('unauthenticated', 'Sign-in failed. Check your client ID and secret.');
}

export function tooLarge(maxBytes?: number): Failure {
  const limit = maxBytes ? ` The limit is ${fileSize(maxBytes)}.` : '';
  return new Failure('too-large', `The file is too large.${limit} Split it into several files.`);
}

/**
 * Return the GraphQL reply in an HTTP response; it may contain errors.
 *
 * @throws Failure if the response is not GraphQL, or its status is 401, 403, 413, 429 or 503.
 */
export function readReply<Data>(status: number, text: string): GraphQLReply<Data> {
  const reply = parse<Data>(text);
  const message = reply?.errors?.map((error) => error.message).join(' ') ?? '';
  if (status === 401) throw signInFailed();
  if (status === 403) throw new Failure('refused', message || 'You are not allowed to do this.');
  if (status === 413) {
    throw message ? new Failure('too-large', `Too large. ${message}`) : tooLarge();
  }
  if (status === 429 || status === 503) {
    throw new Failure('busy', 'The service is busy or starting. Try again in a moment.');
  }
  if (!reply) {
    throw new Failure(
      'unexpected',
      `The response (status ${status}) is not GraphQL. A proxy in front of the service may have sent it.`,
    );
  }
  return reply;
}

/** "12 kB", "1.3 MB", "128 MB", "4 GB". */
export function fileSize(bytes: number): string {
  const [kilobytes, megabytes] = [bytes / 1024, bytes / 1024 ** 2];
  if (kilobytes < 1000) return `${Math.ceil(kilobytes)} kB`;
  return megabytes < 1000 ? `${rounded(megabytes)} MB` : `${rounded(megabytes / 1024)} GB`;
}

/** Round to two digits, or to an integer from 10. */
const rounded = (value: number) => (value >= 10 ? Math.round(value) : Math.round(value * 10) / 10);

function parse<Data>(text: string): GraphQLReply<Data> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    const isReply =
      typeof parsed === 'object' && parsed !== null && ('data' in parsed || 'errors' in parsed);
    return isReply ? (parsed as GraphQLReply<Data>) : null;
  } catch {
    return null;
  }
}
