/** Subscriptions over a WebSocket, or as server-sent events if WebSockets are blocked. */

import { type Client, createClient } from 'graphql-ws';
import { credentialHeaders, credentials } from './credentials';
import { Failure, readReply, signInFailed, unreachable } from './failure';
import type { Operation } from './multipart';
import { eventResults } from './serverSentEvents';

type Next = (result: unknown) => void;

/** The close codes of a graphql-transport-ws server that denies access. */
const ACCESS_DENIED = new Set([4401, 4403]);

/** Time limit for the acknowledgement: some proxies open a WebSocket but forward nothing. */
const ACKNOWLEDGEMENT_MS = 10_000;

/** Interval of pings and time limit for their pongs, which detect a dead connection. */
export const PING_MS = 10_000;
export const PONG_MS = 5_000;

/**
 * Follow a subscription until it ends or the signal is aborted.
 *
 * @throws Failure if neither transport works.
 */
export async function follow(
  endpoint: string,
  operation: Operation,
  next: Next,
  signal: AbortSignal,
): Promise<void> {
  let received = false;
  try {
    await overWebSocket(endpoint, operation, signal, (result) => {
      received = true;
      next(result);
    });
  } catch (error) {
    if (signal.aborted || received || !isConnectionLoss(error)) throw readable(error);
    await overServerSentEvents(endpoint, operation, next, signal);
  }
}

function overWebSocket(
  endpoint: string,
  operation: Operation,
  signal: AbortSignal,
  next: Next,
): Promise<void> {
  let unanswered: ReturnType<typeof setTimeout>;
  const client: Client = createClient({
    url: endpoint.replace(/^http/, 'ws'),
    connectionParams: () => credentialHeaders(credentials.get()),
    retryAttempts: 0,
    connectionAckWaitTimeout: ACKNOWLEDGEMENT_MS,
    keepAlive: PING_MS,
    on: {
      ping: (fromServer) => {
        if (!fromServer) unanswered = setTimeout(() => client.terminate(), PONG_MS);
      },
      pong: () => clearTimeout(unanswered),
      closed: () => clearTimeout(unanswered),
    },
  });
  return new Promise<void>((resolve, reject) => {
    const stop = client.subscribe(payload(operation), {
      next,
      error: reject,
      complete: () => resolve(),
    });
    signal.addEventListener('abort', stop, { once: true });
  }).finally(() => client.dispose());
}

async function overServerSentEvents(
  endpoint: string,
  operation: Operation,
  next: Next,
  signal: AbortSignal,
): Promise<void> {
  const headers = {
    accept: 'text/event-stream',
    'content-type': 'application/json',
    ...credentialHeaders(credentials.get()),
  };
  const body = JSON.stringify(payload(operation));
  const response = await fetch(endpoint, { method: 'POST', headers, body, signal }).catch(() => {
    throw unreachable();
  });
  if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body) {
    next(readReply(response.status, await response.text()));
    return;
  }
  for await (const result of eventResults(response.body)) next(result);
}

function payload({ query, variables, operationName }: Operation) {
  return {
    query,
    variables: variables ?? null,
    operationName: operationName ?? null,
  };
}

function isConnectionLoss(error: unknown): boolean {
  const code = closeCode(error);
  return !(Array.isArray(error) || (code !== null && ACCESS_DENIED.has(code)));
}

function readable(error: unknown): unknown {
  if (error instanceof Failure || Array.isArray(error)) return error;
  const code = closeCode(error);
  if (code !== null && ACCESS_DENIED.has(code)) {
    return signInFailed();
  }
  return unreachable();
}

function closeCode(error: unknown): number | null {
  return typeof error === 'object' && error !== null && 'code' in error ? Number(error.code) : null;
}
