import { useId, useState } from 'react';
import { counted } from '../shared/format';
import { execute } from './api';
import { FileAction } from './FileAction';
import { type FileFragment, ReclassifySongsDocument } from './operations.generated';
import { say } from './toasts';

interface Props {
  file: FileFragment;
  name: string;
  onStarted: (batch: FileFragment) => void;
  onChange: () => void;
}

/** Reclassifies a batch's stored songs with the current model and another threshold. */
export function ClassifyAgain({ file, name, onStarted, onChange }: Props) {
  const [threshold, setThreshold] = useState('50');
  const field = useId();
  const songs = counted(file.rowsClassified - file.songsSuperseded, 'song');

  async function start() {
    const variables = { batchId: file.id, minConfidence: Number(threshold) / 100 };
    const { reclassifySongs } = await execute(ReclassifySongsDocument, variables);
    say(`Classifying the ${songs} of ${name} again.`);
    onStarted(reclassifySongs);
  }

  return (
    <FileAction
      label="Classify again"
      longLabel={`Classify again: ${name}`}
      title={`Classify ${name} again?`}
      onFailed={onChange}
    >
      {({ busy, run, close }) => (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            run(() => start().then(close));
          }}
        >
          <p>
            The current model reclassifies its {songs} in the background, without the file. They
            then belong to a new batch; the results of {name} can still be downloaded.
          </p>
          <p className="choices">
            <label htmlFor={field}>Uncertain below, in percent</label>
            <input
              id={field}
              type="number"
              min={0}
              max={100}
              required
              value={threshold}
              onChange={(event) => setThreshold(event.target.value)}
            />
          </p>
          <p className="choices">
            <button type="submit" className="primary" disabled={busy}>
              Classify again
            </button>
            <button type="button" className="secondary" onClick={close}>
              Cancel
            </button>
          </p>
        </form>
      )}
    </FileAction>
  );
}
