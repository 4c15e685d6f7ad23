import { useEffect, useRef, useState } from 'react';
import { credentials } from '../shared/credentials';
import type { Failure } from '../shared/failure';
import { count, percent } from '../shared/format';
import { useStore } from '../shared/store';
import { execute } from './api';
import { followBatch } from './followBatch';
import type { Followed } from './followed';
import {
  type BatchFragment,
  CancelBatchDocument,
  type ProgressFragment,
} from './operations.generated';
import { asFailure } from './useRequest';

interface Props {
  followed: Followed;
  onEnd: (batch: BatchFragment) => void;
  /** The reader wants to do something else meanwhile. */
  onLeave: () => void;
  onFailure: (failure: Failure) => void;
}

/** How far a batch in the background is, until its end. */
export function BackgroundBatch({ followed, onEnd, onLeave, onFailure }: Props) {
  const { id, file } = followed;
  const client = useStore(credentials);
  const [progress, setProgress] = useState<ProgressFragment | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [cancelling, setCancelling] = useState(false);
  const handlers = useRef({ onEnd, onFailure });
  handlers.current = { onEnd, onFailure };

  // biome-ignore lint/correctness/useExhaustiveDependencies: other credentials may be the right ones
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    setFailure(null);
    const onProgress = (next: ProgressFragment) => {
      setProgress(next);
      setFailure(null);
    };
    followBatch(id, { onProgress, onTrouble: setFailure }, signal).then(
      (batch) => handlers.current.onEnd(batch),
      (error: unknown) => {
        if (signal.aborted) return;
        const reason = asFailure(error);
        setFailure(reason);
        handlers.current.onFailure(reason);
      },
    );
    return () => controller.abort();
  }, [id, client]);

  /** That it is cancelled, or was finished before that, is told by what follows it. */
  async function cancel() {
    setCancelling(true);
    try {
      await execute(CancelBatchDocument, { id });
    } catch (error) {
      setFailure(asFailure(error));
      setCancelling(false);
    }
  }

  const [done, all] = [progress?.rowsProcessed ?? 0, progress?.rowsUploaded ?? 0];
  const share = all > 0 ? done / all : 0;
  const running = progress?.status === 'RUNNING';
  return (
    <div className="progress">
      <p className="big">
        {running || !progress ? 'Finding the genres of' : 'In the queue:'} <strong>{file}</strong>
      </p>
      <progress
        aria-label="Classification"
        {...(progress ? { value: done, max: all } : {})}
        aria-valuetext={progress ? `${count(done)} of ${count(all)} rows` : undefined}
      />
      <p className="quiet number">
        {progress ? `${count(done)} of ${count(all)} rows` : 'Asking how far it is …'}
      </p>
      {/* Every tenth is news; every row would not let a screen reader say anything else. */}
      <p className="unseen" role="status">
        {running && `${percent(Math.floor(share * 10) / 10)} of the rows are done.`}
        {progress?.status === 'QUEUED' && 'The file is in the queue.'}
      </p>
      {failure && (
        <p className="notice bad" role="alert">
          {failure.message}
        </p>
      )}
      <p className="quiet">It goes on when you close this page.</p>
      <div className="choices">
        <button type="button" className="secondary" disabled={cancelling} onClick={cancel}>
          {cancelling ? 'Cancelling …' : 'Cancel'}
        </button>
        <button type="button" className="secondary" onClick={onLeave}>
          Do something else meanwhile
        </button>
      </div>
    </div>
  );
}
