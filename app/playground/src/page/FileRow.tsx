import { count, counted, when } from '../shared/format';
import { resultsKept } from './answers';
import { BatchProgress } from './BatchProgress';
import { ClassifyAgain } from './ClassifyAgain';
import { DeleteFile } from './DeleteFile';
import { DownloadFile } from './DownloadFile';
import { FileProblems } from './FileProblems';
import { nameOf } from './files';
import { isUnfinished } from './followBatch';
import type { FileFragment } from './operations.generated';
import { go, NO_FILTERS } from './route';
import type { Following } from './useFollowing';

interface Props {
  file: FileFragment;
  following: Following | undefined;
  onAccepted: (file: FileFragment) => void;
  onChange: () => void;
}

const STATUS_LABELS: Record<FileFragment['status'], string> = {
  QUEUED: 'Queued',
  RUNNING: 'Classifying',
  WAITING: 'Waiting',
  SUCCEEDED: 'Classified',
  FAILED: 'Failed',
  CANCELLED: 'Cancelled',
};

/** A batch with its status and actions. */
export function FileRow({ file, following, onAccepted, onChange }: Props) {
  const unfinished = isUnfinished(file);
  const kept = resultsKept(file);
  const status = unfinished ? (following?.progress?.status ?? file.status) : file.status;
  const name = nameOf(file);
  return (
    <li className="file">
      <div className="file-head">
        <h3>{name}</h3>
        <span className={`status status-${status.toLowerCase()}`}>{STATUS_LABELS[status]}</span>
      </div>
      <p className="quiet">
        {when(file.createdAt)}
        {file.status === 'SUCCEEDED' &&
          ` · ${counted(file.rowsClassified, 'song')} from ${counted(file.rowsUploaded, 'row')}`}
      </p>
      {unfinished && <BatchProgress file={file} following={following} />}
      {file.songsSuperseded > 0 && (
        <p className="quiet">
          {count(file.songsSuperseded)} of its songs {file.songsSuperseded === 1 ? 'was' : 'were'}{' '}
          classified again later. {kept && 'Its own results are still available.'}
        </p>
      )}
      {file.error && <p className="file-error">{file.error}</p>}
      {file.problemCount > 0 && <FileProblems id={file.id} problemCount={file.problemCount} />}
      {!unfinished && (
        <div className="choices">
          {(kept || file.rowsClassified > file.songsSuperseded) && (
            <button
              type="button"
              className="secondary"
              aria-label={`Show songs of ${name}`}
              onClick={() => go({ ...NO_FILTERS, view: 'songs', file: file.id })}
            >
              Show songs
            </button>
          )}
          {file.status === 'SUCCEEDED' && file.rowsClassified > file.songsSuperseded && (
            <ClassifyAgain file={file} name={name} onStarted={onAccepted} onChange={onChange} />
          )}
          {kept && <DownloadFile file={file} name={name} />}
          <DeleteFile file={file} name={name} onChange={onChange} />
        </div>
      )}
    </li>
  );
}
