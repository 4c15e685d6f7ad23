import { useState } from 'react';
import type { Failure } from '../shared/failure';
import { count, percent } from '../shared/format';
import { execute } from './api';
import { CancelBatchDocument, type FileFragment } from './operations.generated';
import type { Following } from './useFollowing';
import { asFailure } from './useRequest';

interface Props {
  file: FileFragment;
  following: Following | undefined;
}

/** The progress of a background batch, with a button that cancels it. */
export function BatchProgress({ file, following }: Props) {
  const [cancelling, setCancelling] = useState(false);
  const [refused, setRefused] = useState<Failure | null>(null);
  const { status, waitingReason, rowsProcessed, rowsUploaded } = following?.progress ?? file;
  const share = rowsUploaded > 0 ? rowsProcessed / rowsUploaded : 0;
  const failure = refused ?? following?.failure;

  /** Cancel the batch; its subscription reports how it ended. */
  async function cancel() {
    setCancelling(true);
    setRefused(null);
    try {
      await execute(CancelBatchDocument, { id: file.id });
    } catch (error) {
      setRefused(asFailure(error));
      setCancelling(false);
    }
  }

  const rows = `${count(rowsProcessed)} of ${count(rowsUploaded)} rows`;
  return (
    <>
      <div className="activity-row">
        <progress
          aria-label="Classification"
          value={rowsProcessed}
          max={rowsUploaded || 1}
          aria-valuetext={rows}
        />
        <span className="quiet number">
          {STATUS[status] ?? 'Classifying'}: {rows}
        </span>
        <button type="button" className="secondary" disabled={cancelling} onClick={cancel}>
          {cancelling ? 'Cancelling…' : 'Cancel'}
          <span className="unseen"> {file.fileName}</span>
        </button>
      </div>
      {status === 'WAITING' && (
        <p className="quiet">{waitingReason ?? 'It resumes automatically.'}</p>
      )}
      {/* Every tenth, so that screen readers do not announce every row. */}
      <p className="unseen" role="status">
        {status === 'RUNNING' && `${percent(Math.floor(share * 10) / 10)} of the rows are done.`}
        {status === 'QUEUED' && 'The file is queued.'}
      </p>
      {failure && (
        <p className="notice bad" role="alert">
          {failure.message}
        </p>
      )}
    </>
  );
}

const STATUS: Partial<Record<FileFragment['status'], string>> = {
  QUEUED: 'Queued',
  WAITING: 'Waiting',
};
