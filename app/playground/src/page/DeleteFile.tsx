import { useState } from 'react';
import { counted } from '../shared/format';
import { execute } from './api';
import { Dialog } from './Dialog';
import { DeleteBatchDocument, type FileFragment } from './operations.generated';
import { EVERYTHING, go, route } from './route';
import { say } from './toasts';
import { asFailure } from './useRequest';

interface Props {
  file: FileFragment;
  name: string;
  onChange: () => void;
}

/** Deletes a batch, with its songs or without, once the reader has said which. */
export function DeleteFile({ file, name, onChange }: Props) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const stored = file.status === 'SUCCEEDED' ? file.rowsClassified - file.songsSuperseded : 0;

  async function remove(songs: boolean) {
    setBusy(true);
    setProblem(null);
    try {
      const { deleteBatch } = await execute(DeleteBatchDocument, { id: file.id, songs });
      const gone = songs ? ` and ${counted(deleteBatch.songsDeleted, 'song')}` : '';
      say(`Deleted ${name}${gone}.`);
      if (route.get().file === file.id) go({ ...EVERYTHING, view: 'files' }, { replace: true });
      onChange();
    } catch (error) {
      setProblem(asFailure(error).message);
      setBusy(false);
    }
  }

  function close() {
    setAsking(false);
    setProblem(null);
    if (problem) onChange(); // it may have been deleted elsewhere
  }

  return (
    <>
      <button
        type="button"
        className="secondary"
        aria-label={`Delete ${name}`}
        onClick={() => setAsking(true)}
      >
        Delete
      </button>
      {asking && (
        <Dialog title={`Delete ${name}?`} onClose={close} focusElse="files-title">
          <p>Its results can no longer be downloaded. This cannot be undone.</p>
          {problem && (
            <p className="notice bad" role="alert">
              {problem}
            </p>
          )}
          <div className="choices">
            {stored > 0 && (
              <button type="button" className="danger" disabled={busy} onClick={() => remove(true)}>
                Delete the file and its {counted(stored, 'song')}
              </button>
            )}
            <button
              type="button"
              className={stored > 0 ? 'secondary' : 'danger'}
              disabled={busy}
              onClick={() => remove(false)}
            >
              {stored > 0 ? 'Delete the file, keep its songs' : 'Delete the file'}
            </button>
            <button type="button" className="secondary" onClick={close}>
              Cancel
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}
