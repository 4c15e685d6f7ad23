import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Failure, unreachable } from '../shared/failure';

const execute = vi.hoisted(() => vi.fn());
const follow = vi.hoisted(() => vi.fn());
vi.mock('./api', () => ({ ENDPOINT: 'http://localhost/graphql', execute }));
vi.mock('../shared/subscriptions', () => ({ follow }));

const { followBatch, POLL_MS } = await import('./followBatch');

type Next = (result: unknown) => void;

const progress = (status: string, rowsProcessed: number) => ({
  status,
  rowsUploaded: 4,
  rowsProcessed,
});
const event = (status: string, rowsProcessed: number) => ({
  data: { batchProgress: progress(status, rowsProcessed) },
});
const reported: unknown[] = [];
const follower = {
  onProgress: (at: { rowsProcessed: number }) => reported.push(at.rowsProcessed),
  onTrouble: (failure: Failure) => reported.push(failure.kind),
};

function followed(signal = new AbortController().signal) {
  const end = followBatch('1', follower, signal);
  end.catch(() => {}); // awaited later
  return end;
}

beforeEach(() => {
  vi.useFakeTimers();
  reported.length = 0;
  execute.mockReset();
  follow.mockReset();
});

afterEach(() => {
  vi.useRealTimers();
});

it('takes progress from the subscription, and requests the finished batch', async () => {
  follow.mockImplementation(async (_endpoint: string, _operation: object, next: Next) => {
    for (const result of [event('QUEUED', 0), event('RUNNING', 2), event('SUCCEEDED', 4)]) {
      next(result);
    }
  });
  execute.mockResolvedValue({ batch: progress('SUCCEEDED', 4) });
  expect(await followed()).toEqual(progress('SUCCEEDED', 4));
  expect(reported).toEqual([0, 2, 4]);
  expect(execute).toHaveBeenCalledOnce();
});

it('polls every second without subscriptions, also during an outage', async () => {
  follow.mockRejectedValue(unreachable());
  execute
    .mockResolvedValueOnce({ batch: progress('RUNNING', 1) })
    .mockRejectedValueOnce(unreachable())
    .mockResolvedValueOnce({ batch: progress('RUNNING', 3) })
    .mockResolvedValueOnce({ batch: progress('FAILED', 3) });
  const end = followed();
  await vi.advanceTimersByTimeAsync(3 * POLL_MS - 1);
  expect(reported).toEqual([1, 'unreachable', 3]);
  await vi.advanceTimersByTimeAsync(1);
  expect((await end).status).toBe('FAILED');
});

it.each([
  ['the batch was deleted', { batch: null }, 'deleted'],
  ['access is denied', new Failure('unauthenticated', 'no'), 'unauthenticated'],
])('gives up when %s', async (_what, answer, kind) => {
  follow.mockRejectedValue([{ message: 'no' }]);
  if (answer instanceof Failure) execute.mockRejectedValue(answer);
  else execute.mockResolvedValue(answer);
  await expect(followed()).rejects.toMatchObject({ kind });
  expect(reported).toEqual([]);
});

it('stops when the signal is aborted', async () => {
  follow.mockRejectedValue(unreachable());
  execute.mockResolvedValue({ batch: progress('RUNNING', 1) });
  const controller = new AbortController();
  const end = followed(controller.signal);
  await vi.advanceTimersByTimeAsync(POLL_MS / 2);
  controller.abort();
  await expect(end).rejects.toMatchObject({ name: 'AbortError' });
  await vi.advanceTimersByTimeAsync(5 * POLL_MS);
  expect(execute).toHaveBeenCalledOnce();
});
