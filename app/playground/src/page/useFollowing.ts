import { useEffect, useRef, useState } from 'react';
import type { Failure } from '../shared/failure';
import { followBatch } from './followBatch';
import type { BatchFragment, ProgressFragment } from './operations.generated';
import { asFailure } from './useRequest';

export interface Following {
  progress: ProgressFragment | null;
  /** Why there is no news of it at the moment. */
  failure: Failure | null;
}

interface EndListener {
  onEnd: (batch: BatchFragment) => void;
  onFailure: (failure: Failure, id: string) => void;
}

/**
 * Follow batches to their end, each by its own subscription.
 *
 * @param ids of unfinished batches; each is followed to its end, even after it left the list.
 * @param clientKey changes with the credentials, which may be the right ones then.
 */
export function useFollowing(
  ids: readonly string[],
  clientKey: string,
  listener: EndListener,
): Readonly<Record<string, Following>> {
  const [followed, setFollowed] = useState<Record<string, Following>>({});
  const heard = useRef(listener);
  heard.current = listener;
  const running = useRef(new Map<string, AbortController>());

  // biome-ignore lint/correctness/useExhaustiveDependencies: other credentials start all of them anew
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
      const tell = (change: Partial<Following>) =>
        setFollowed((all) => ({
          ...all,
          [id]: { ...(all[id] ?? { progress: null, failure: null }), ...change },
        }));
      const follower = {
        onProgress: (progress: ProgressFragment) => tell({ progress, failure: null }),
        onTrouble: (failure: Failure) => tell({ failure }),
      };
      followBatch(id, follower, controller.signal).then(
        (batch) => controller.signal.aborted || heard.current.onEnd(batch),
        (error: unknown) => {
          if (controller.signal.aborted) return;
          const failure = asFailure(error);
          tell({ failure });
          heard.current.onFailure(failure, id);
        },
      );
    }
  }, [wanted, clientKey]);

  return followed;
}
