import { useEffect, useRef } from 'react';
import { count, counted } from '../shared/format';
import { downloadTemplate } from './download';
import { Problems } from './Problems';
import { lacksColumns, mayLackColumns, rowsToSkip } from './problemGroups';
import type { Refusal, Upload, UploadQueue } from './uploadQueue';

interface Props {
  upload: Upload;
  queue: UploadQueue;
}

/** Says why a file was not classified, and what to do about it. */
export function RefusedUpload({ upload, queue }: Props) {
  const { state, name, key, file } = upload;
  const heading = useRef<HTMLHeadingElement>(null);
  // The focused element, such as a Cancel button, may have disappeared. Do not take the focus from
  // somebody who is typing, reviewing or reading a dialog.
  useEffect(() => {
    if (!document.activeElement?.closest('search, .review, dialog')) heading.current?.focus();
  }, []);
  const refusal = state.step === 'refused' ? state.refusal : null;
  return (
    <div className="notice bad">
      <h3 tabIndex={-1} ref={heading}>
        {refusal ? `${name} was refused. Nothing was stored.` : `${name} was not sent.`}
      </h3>
      {state.step === 'failed' && <p>{state.failure.message}</p>}
      {refusal &&
        (refusal.problems.length > 0 ? (
          <Problems problems={refusal.problems} problemCount={refusal.problemCount} />
        ) : (
          <p>{refusal.message}</p>
        ))}
      <div className="choices">
        {refusal && file && (
          <SkipRows refusal={refusal} onSkip={() => queue.retry(key, { skipInvalidRows: true })} />
        )}
        {refusal && file && mayLackColumns(refusal.problems) && (
          <button
            type="button"
            className="primary"
            onClick={() => queue.retry(key, { classifyIncompleteRows: true })}
          >
            Classify without these columns (less accurate)
          </button>
        )}
        {!refusal && file && (
          <button type="button" className="primary" onClick={() => queue.retry(key)}>
            Try again
          </button>
        )}
        {refusal && lacksColumns(refusal.problems) && (
          <button type="button" className="secondary" onClick={() => downloadTemplate()}>
            Download a template
          </button>
        )}
        <button type="button" className="secondary" onClick={() => queue.remove(key)}>
          Dismiss
        </button>
      </div>
    </div>
  );
}

function SkipRows({ refusal, onSkip }: { refusal: Refusal; onSkip: () => void }) {
  const rows = rowsToSkip(refusal.problems);
  if (rows === null) return null;
  const listed = refusal.problems.length === refusal.problemCount;
  return (
    <button type="button" className="primary" onClick={onSkip}>
      {listed
        ? `Skip ${counted(rows, 'row')} and classify`
        : `Skip at least ${count(rows)} rows and classify`}
    </button>
  );
}
