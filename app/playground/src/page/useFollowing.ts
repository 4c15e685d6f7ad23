import { useEffect, useRef, useState } from 'react';
import type { Failure } from '../shared/failure';
import { followBatch } from './followBatch';
import type { BatchFragment, ProgressFragment } from './operations.generated';
import { asFailure } from './useRequest';

export interface Following {
  progress: ProgressFragment | null;
  /** Why its progress is currently unknown. */
  failure: Failure | null;
}

interface EndListener {
  onEnd: (batch: BatchFragment) => void;
  onFailure: (failure: Failure, id: string) => void;
}

/**
 * Follow batches to their end, each by its own subscription.
 *
 * @param ids of unfinished batches; each is followed to its end, even if it leaves the list.
 * @param clientKey changes with the credentials, which restarts failed subscriptions.
 */
export function useFollowing(
  ids: readonly string[],
  clientKey: string,
  listener: EndListener,
): Readonly<Record<string, Following>> {
  const [followed, setFollowed] = useState<Record<string, Following>>({});
  const latest = useRef(listener);
  latest.current = listener;
  const running = useRef(new Map<string, AbortController>());

  // biome-ignore lint/correctness/useExhaustiveDependencies: changed credentials restart all of them
  useEffect(
    () => () => {
      for (const controller of running.current.values()) controller.abort();
      running.current.clear();
    },
    [clientKey],
  );

  const wanted = ids.join(' ');
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  useEffect(() => {
    for (const id of wanted.split(' ').filter(Boolean)) {
      if (running.current.has(id)) continue;
      const controller = new AbortController();
      running.current.set(id, controller);
      const update = (change: Partial<Following>) =>
        setFollowed((all) => ({
          ...all,
          [id]: { ...(all[id] ?? { progress: null, failure: null }), ...change },
        }));
      const follower = {
        onProgress: (progress: ProgressFragment) => update({ progress, failure: null }),
        onTrouble: (failure: Failure) => update({ failure }),
      };
      followBatch(id, follower, controller.signal).then(
        (batch) => controller.signal.aborted || latest.current.onEnd(batch),
        (error: unknown) => {
          if (controller.signal.aborted) return;
          const failure = asFailure(error);
          update({ failure });
          latest.current.onFailure(failure, id);
        },
      );
    }
  }, [wanted, clientKey]);

  return followed;
}
