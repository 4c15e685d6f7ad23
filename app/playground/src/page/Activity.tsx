import { percent } from '../shared/format';
import { useStore } from '../shared/store';
import { BatchProgress } from './BatchProgress';
import { nameOf } from './files';
import type { FileFragment } from './operations.generated';
import { RefusedUpload } from './RefusedUpload';
import type { Upload, UploadQueue } from './uploadQueue';
import type { Following } from './useFollowing';

interface Props {
  queue: UploadQueue;
  unfinished: readonly FileFragment[];
  followed: Readonly<Record<string, Following>>;
}

/** All files that are being sent, waiting, being classified, or rejected. */
export function Activity({ queue, unfinished, followed }: Props) {
  const uploads = useStore(queue.uploads);
  if (uploads.length === 0 && unfinished.length === 0) return null;
  return (
    <>
      <ul className="activity" aria-label="Files being classified">
        {unfinished.map((file) => (
          <li key={file.id}>
            <p className="activity-name">
              <strong>{nameOf(file)}</strong>
            </p>
            <BatchProgress file={file} following={followed[file.id]} />
          </li>
        ))}
        {uploads.map((upload) => (
          <li key={upload.key}>
            {upload.state.step === 'refused' || upload.state.step === 'failed' ? (
              <RefusedUpload upload={upload} queue={queue} />
            ) : (
              <Sending upload={upload} queue={queue} />
            )}
          </li>
        ))}
      </ul>
      {unfinished.length > 0 && <Continues />}
    </>
  );
}

/** A note that the page can be closed. */
export function Continues() {
  return <p className="quiet continues">You can close this page; classification continues.</p>;
}

function Sending({ upload, queue }: { upload: Upload; queue: UploadQueue }) {
  const { state, name, key } = upload;
  if (state.step === 'waiting') {
    return (
      <div className="activity-row">
        <p className="activity-name">
          <strong>{name}</strong> <span className="quiet">waiting for the previous file</span>
        </p>
        <button type="button" className="secondary" onClick={() => queue.remove(key)}>
          Remove
        </button>
      </div>
    );
  }
  const share = state.step === 'uploading' ? state.share : null;
  return (
    <div className="activity-row">
      <p className="activity-name">
        {share === null ? 'Classifying' : 'Uploading'} <strong>{name}</strong>
      </p>
      <progress
        aria-label={share === null ? 'Classification' : 'Upload'}
        {...(share === null ? {} : { value: share })}
      />
      {share !== null && (
        <>
          <span className="quiet number">{percent(share)}</span>
          <button type="button" className="secondary" onClick={() => queue.remove(key)}>
            Cancel
          </button>
        </>
      )}
    </div>
  );
}
