/** Subscriptions: over a WebSocket, or as server-sent events where no WebSocket gets through. */

import { type Client, createClient } from 'graphql-ws';
import { credentialHeaders, credentials } from './credentials';
import { Failure, readReply, signInFailed, unreachable } from './failure';
import type { Operation } from './multipart';
import { eventResults } from './serverSentEvents';

type Next = (result: unknown) => void;

/** Codes by which a graphql-transport-ws server says that it does not let the client in. */
const NOT_LET_IN = new Set([4401, 4403]);

/** Some proxies open a WebSocket and pass nothing on. */
const ACKNOWLEDGEMENT_MS = 10_000;

/** A connection may die without a word: how often to ask whether it lives, and how long to wait. */
export const PING_MS = 10_000;
export const PONG_MS = 5_000;

/**
 * Follow a subscription until it ends or the signal says stop.
 *
 * @throws Failure when it cannot be followed either way.
 */
export async function follow(
  endpoint: string,
  operation: Operation,
  next: Next,
  signal: AbortSignal,
): Promise<void> {
  let heard = false;
  try {
    await overWebSocket(endpoint, operation, signal, (result) => {
      heard = true;
      next(result);
    });
  } catch (error) {
    if (signal.aborted || heard || !isConnectionLoss(error)) throw readable(error);
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
      ping: (received) => {
        if (!received) unanswered = setTimeout(() => client.terminate(), PONG_MS);
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
  return !(Array.isArray(error) || (code !== null && NOT_LET_IN.has(code)));
}

function readable(error: unknown): unknown {
  if (error instanceof Failure || Array.isArray(error)) return error;
  const code = closeCode(error);
  if (code !== null && NOT_LET_IN.has(code)) {
    return signInFailed();
  }
  return unreachable();
}

function closeCode(error: unknown): number | null {
  return typeof error === 'object' && error !== null && 'code' in error ? Number(error.code) : null;
}
