/** Follow a background batch to its end, over any connection. */

import { Failure } from '../shared/failure';
import { follow } from '../shared/subscriptions';
import { ENDPOINT, execute } from './api';
import {
  BatchDocument,
  type BatchFragment,
  BatchProgressDocument,
  type BatchProgressSubscription,
  type ProgressFragment,
} from './operations.generated';
import { asFailure } from './useRequest';

export const POLL_MS = 1000;

export interface Follower {
  onProgress: (progress: ProgressFragment) => void;
  /** Called while the progress is unknown; the next progress means that the trouble is over. */
  onTrouble: (failure: Failure) => void;
}

export const isUnfinished = ({ status }: { status: BatchFragment['status'] }): boolean =>
  status === 'QUEUED' || status === 'RUNNING' || status === 'WAITING';

/**
 * Follow a batch by a subscription, and poll it every second if that fails, as behind proxies that block
 * subscriptions or while the service restarts.
 *
 * @returns the finished batch.
 * @throws Failure if access is denied or the batch does not exist; an AbortError if the signal is
 *   aborted.
 */
export async function followBatch(
  id: string,
  { onProgress, onTrouble }: Follower,
  signal: AbortSignal,
): Promise<BatchFragment> {
  await follow(
    ENDPOINT,
    { query: BatchProgressDocument.toString(), variables: { id } },
    (result) => {
      const { data } = result as { data?: BatchProgressSubscription | null };
      if (data && !signal.aborted) onProgress(data.batchProgress);
    },
    signal,
  ).catch(() => {}); // the request below reports any failure that is not of the subscription only
  for (; ; await pause(POLL_MS, signal)) {
    try {
      const { batch } = await execute(BatchDocument, { id }, { signal });
      if (!batch) throw new Failure('deleted', 'This file was deleted.');
      if (!isUnfinished(batch)) return batch;
      onProgress(batch);
    } catch (error) {
      const failure = asFailure(error);
      if (signal.aborted || failure.kind === 'unauthenticated' || failure.kind === 'deleted') {
        throw error;
      }
      onTrouble(failure);
    }
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
