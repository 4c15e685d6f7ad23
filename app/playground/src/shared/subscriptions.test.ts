import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { credentials } from './credentials';
import { follow, PING_MS, PONG_MS } from './subscriptions';

const ENDPOINT = 'http://localhost/graphql';
const OPERATION = { query: 'subscription { batchProgress(id: "1") { status } }' };

/** A stand-in for WebSocket whose response to `connection_init` the test chooses. */
let answer: (socket: FakeSocket, message: { type: string; id?: string }) => void;
let sent: unknown[] = [];

class FakeSocket {
  static readonly OPEN = 1;
  readyState = 0;
  protocol = 'graphql-transport-ws';
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: object) => void) | null = null;
  onerror: ((event: object) => void) | null = null;
  readonly url: string;

  constructor(url: string) {
    this.url = url;
    setTimeout(() => answer(this, { type: 'connect' }));
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
  }

  deliver(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  drop(code: number) {
    this.readyState = 3;
    this.onclose?.({ code, reason: '', wasClean: false, type: 'close' });
  }

  send(text: string) {
    const message = JSON.parse(text);
    sent.push(message);
    setTimeout(() => answer(this, message));
  }

  close(code = 1000) {
    this.drop(code);
  }
}

beforeEach(() => {
  vi.stubGlobal('WebSocket', FakeSocket);
  sent = [];
  credentials.set({ clientId: 'me', clientSecret: 'secret', signIn: 0 });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

async function followed(): Promise<unknown[]> {
  const results: unknown[] = [];
  const { signal } = new AbortController();
  await follow(ENDPOINT, OPERATION, (result) => results.push(result), signal);
  return results;
}

it('sends the credentials in connection_init, and receives all results', async () => {
  answer = (socket, { type, id }) => {
    if (type === 'connect') socket.open();
    if (type === 'connection_init') socket.deliver({ type: 'connection_ack' });
    if (type === 'subscribe') {
      socket.deliver({ type: 'next', id, payload: { data: { n: 1 } } });
      socket.deliver({ type: 'next', id, payload: { data: { n: 2 } } });
      socket.deliver({ type: 'complete', id });
    }
  };
  expect(await followed()).toEqual([{ data: { n: 1 } }, { data: { n: 2 } }]);
  expect(sent[0]).toEqual({
    type: 'connection_init',
    payload: { 'client-id': 'me', 'client-secret': 'secret' },
  });
});

it('reports denied access', async () => {
  answer = (socket, { type }) => {
    if (type === 'connect') socket.open();
    if (type === 'connection_init') socket.drop(4403);
  };
  await expect(followed()).rejects.toMatchObject({ kind: 'unauthenticated' });
});

it('uses server-sent events if WebSockets are blocked', async () => {
  answer = (socket, { type }) => {
    if (type === 'connect') socket.drop(1006);
  };
  const fetched = vi.fn(
    async (_url: string, _init: RequestInit) =>
      new Response('event: next\ndata: {"data":{"n":1}}\n\nevent: complete\ndata:\n\n', {
        headers: { 'content-type': 'text/event-stream; charset=utf-8' },
      }),
  );
  vi.stubGlobal('fetch', fetched);
  expect(await followed()).toEqual([{ data: { n: 1 } }]);
  expect(fetched.mock.calls[0]?.[1].headers).toMatchObject({
    accept: 'text/event-stream',
    'client-id': 'me',
    'client-secret': 'secret',
  });
});

it.each([
  [true, 'keeps a connection that answers'],
  [false, 'gives up on a connection that died silently'],
])('with pongs %s, %s', async (answers) => {
  vi.useFakeTimers();
  answer = (socket, { type, id }) => {
    if (type === 'connect') socket.open();
    if (type === 'connection_init') socket.deliver({ type: 'connection_ack' });
    if (type === 'subscribe') socket.deliver({ type: 'next', id, payload: { data: { n: 1 } } });
    if (type === 'ping' && answers) socket.deliver({ type: 'pong' });
  };
  const ended = vi.fn();
  const failed = followed().catch(ended);
  await vi.advanceTimersByTimeAsync(PING_MS + PONG_MS + 100);
  expect(sent).toContainEqual({ type: 'ping' });
  expect(ended).toHaveBeenCalledTimes(answers ? 0 : 1);
  if (!answers) {
    await failed;
    expect(ended.mock.calls[0]?.[0]).toMatchObject({ kind: 'unreachable' });
  }
  vi.useRealTimers();
});

it('passes on the errors of the operation', async () => {
  answer = (socket, { type, id }) => {
    if (type === 'connect') socket.open();
    if (type === 'connection_init') socket.deliver({ type: 'connection_ack' });
    if (type === 'subscribe')
      socket.deliver({ type: 'error', id, payload: [{ message: 'unknown' }] });
  };
  await expect(followed()).rejects.toEqual([{ message: 'unknown' }]);
});
