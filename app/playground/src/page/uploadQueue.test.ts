import { expect, it, vi } from 'vitest';
import { credentials } from '../shared/credentials';
import { Failure } from '../shared/failure';
import { type Send, UploadQueue } from './uploadQueue';

const OPTIONS = { skipInvalidRows: false, classifyIncompleteRows: false, minConfidence: 0 };
const file = (name: string) => new File(['a'], name);
const steps = (queue: UploadQueue) =>
  queue.uploads.get().map(({ name, state }) => `${name} ${state.step}`);
const refused = { __typename: 'InvalidSongFile', message: 'no', problems: [], problemCount: 0 };

/** A service whose responses the test provides, in the order of the requests. */
function service() {
  const calls: Array<{
    name: string;
    skip: boolean;
    client: string | undefined;
    answer: (value: unknown) => void;
  }> = [];
  const send = ((given, options, onProgress, _signal, client) =>
    new Promise((resolve, reject) => {
      onProgress(1);
      calls.push({
        name: given.name,
        skip: options.skipInvalidRows,
        client: client?.clientId,
        answer: (value) => (value instanceof Error ? reject(value) : resolve(value as never)),
      });
    })) as Send;
  return { calls, queue: new UploadQueue(send) };
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

it('sends one file after another, and reports the last', async () => {
  const { calls, queue } = service();
  const reported: Array<[string, boolean]> = [];
  queue.listener = {
    onBatch: (batch, _upload, last) => reported.push([batch.id, last]),
    onFailure: vi.fn(),
  };
  queue.add([file('a.csv'), file('b.csv')], OPTIONS);
  expect(steps(queue)).toEqual(['a.csv classifying', 'b.csv waiting']);
  expect(queue.isBusy()).toBe(true);
  calls[0]?.answer({ __typename: 'Batch', id: '1' });
  await settle();
  expect(steps(queue)).toEqual(['b.csv classifying']);
  calls[1]?.answer({ __typename: 'Batch', id: '2' });
  await settle();
  expect(reported).toEqual([
    ['1', false],
    ['2', true],
  ]);
  expect(steps(queue)).toEqual([]);
  expect(queue.isBusy()).toBe(false);
});

it('keeps a rejected file, which can be sent again with other options', async () => {
  const { calls, queue } = service();
  queue.add([file('a.csv'), file('b.csv')], OPTIONS);
  calls[0]?.answer(refused);
  await settle();
  expect(steps(queue)).toEqual(['a.csv refused', 'b.csv classifying']);
  queue.retry(1, { skipInvalidRows: true });
  expect(steps(queue)).toEqual(['a.csv waiting', 'b.csv classifying']);
  calls[1]?.answer(refused);
  await settle();
  expect(steps(queue)).toEqual(['a.csv classifying', 'b.csv refused']);
  expect(calls[2]).toMatchObject({ name: 'a.csv', skip: true });
  queue.remove(2);
  expect(steps(queue)).toEqual(['a.csv classifying']);
});

it('keeps a file that could not be sent', async () => {
  const { calls, queue } = service();
  const onFailure = vi.fn();
  queue.listener = { onBatch: vi.fn(), onFailure };
  queue.add([file('a.csv')], OPTIONS);
  calls[0]?.answer(new Failure('unreachable', 'away'));
  await settle();
  expect(steps(queue)).toEqual(['a.csv failed']);
  expect(onFailure).toHaveBeenCalledOnce();
  queue.retry(1);
  expect(steps(queue)).toEqual(['a.csv classifying']);
});

it('sends each file as the client that added it, until that client signs out', async () => {
  const { calls, queue } = service();
  credentials.set({ clientId: 'first', clientSecret: '', signIn: 1 });
  queue.add([file('a.csv'), file('b.csv')], OPTIONS);
  credentials.set({ clientId: 'second', clientSecret: '', signIn: 2 });
  queue.add([file('c.csv'), file('d.csv')], OPTIONS);
  for (const call of [0, 1]) {
    calls[call]?.answer(refused);
    await settle();
  }
  expect(calls.map(({ client }) => client)).toEqual(['first', 'first', 'second']);
  queue.clear();
  calls[2]?.answer(refused);
  await settle();
  expect(calls).toHaveLength(3);
  expect(steps(queue)).toEqual([]);
});
