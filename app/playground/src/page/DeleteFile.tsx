import { counted } from '../shared/format';
import { execute } from './api';
import { FileAction } from './FileAction';
import { DeleteBatchDocument, type FileFragment } from './operations.generated';
import { EVERYTHING, go, route } from './route';
import { say } from './toasts';

interface Props {
  file: FileFragment;
  name: string;
  onChange: () => void;
}

/** Deletes a batch, with or without its songs, after asking which. */
export function DeleteFile({ file, name, onChange }: Props) {
  const stored = file.status === 'SUCCEEDED' ? file.rowsClassified - file.songsSuperseded : 0;

  async function remove(songs: boolean) {
    const { deleteBatch } = await execute(DeleteBatchDocument, { id: file.id, songs });
    const deletedSongs = songs ? ` and ${counted(deleteBatch.songsDeleted, 'song')}` : '';
    say(`Deleted ${name}${deletedSongs}.`);
    if (route.get().file === file.id) go({ ...EVERYTHING, view: 'files' }, { replace: true });
    onChange();
  }

  return (
    <FileAction
      label="Delete"
      longLabel={`Delete ${name}`}
      title={`Delete ${name}?`}
      onFailed={onChange}
    >
      {({ busy, run, close }) => (
        <>
          <p>Its results can no longer be downloaded. This cannot be undone.</p>
          <div className="choices">
            {stored > 0 && (
              <button
                type="button"
                className="danger"
                disabled={busy}
                onClick={() => run(() => remove(true))}
              >
                Delete the file and its {counted(stored, 'song')}
              </button>
            )}
            <button
              type="button"
              className={stored > 0 ? 'secondary' : 'danger'}
              disabled={busy}
              onClick={() => run(() => remove(false))}
            >
              {stored > 0 ? 'Delete the file, keep its songs' : 'Delete the file'}
            </button>
            <button type="button" className="secondary" onClick={close}>
              Cancel
            </button>
          </div>
        </>
      )}
    </FileAction>
  );
}
