/** A batch in the background, followed to its end however bad the connection is. */

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
  /** Hears why there is no news; the next progress tells that this is over. */
  onTrouble: (failure: Failure) => void;
}

export const isUnfinished = ({ status }: { status: BatchFragment['status'] }): boolean =>
  status === 'QUEUED' || status === 'RUNNING' || status === 'WAITING';

/**
 * Follow a batch by its subscription, and ask for it each second where that breaks off: in proxies
 * that let none through, or when the service starts anew.
 *
 * @returns the batch as it ended.
 * @throws Failure when the client is not let in, or there is no such batch; an AbortError when the
 *   signal says stop.
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
  ).catch(() => {}); // the question below tells what is wrong, if it is more than the subscription
  for (; ; await pause(POLL_MS, signal)) {
    try {
      const { batch } = await execute(BatchDocument, { id }, { signal });
      if (!batch) throw new Failure('gone', 'This file was deleted.');
      if (!isUnfinished(batch)) return batch;
      onProgress(batch);
    } catch (error) {
      const failure = asFailure(error);
      if (signal.aborted || failure.kind === 'unauthenticated' || failure.kind === 'gone') {
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
