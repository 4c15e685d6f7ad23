import { useId, useState } from 'react';
import { counted } from '../shared/format';
import { execute } from './api';
import { Dialog } from './Dialog';
import { type FileFragment, ReclassifySongsDocument } from './operations.generated';
import { say } from './toasts';
import { asFailure } from './useRequest';

interface Props {
  file: FileFragment;
  name: string;
  onStarted: (batch: FileFragment) => void;
}

/** Reclassifies a batch's stored songs with the current model and another threshold. */
export function ClassifyAgain({ file, name, onStarted }: Props) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [threshold, setThreshold] = useState('50');
  const [problem, setProblem] = useState<string | null>(null);
  const field = useId();
  const songs = counted(file.rowsClassified - file.songsSuperseded, 'song');

  async function start() {
    setBusy(true);
    setProblem(null);
    try {
      const minConfidence = Number(threshold) / 100;
      const variables = { batchId: file.id, minConfidence };
      const { reclassifySongs } = await execute(ReclassifySongsDocument, variables);
      say(`Classifying the ${songs} of ${name} again.`);
      setAsking(false);
      onStarted(reclassifySongs);
    } catch (error) {
      setProblem(asFailure(error).message);
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <button
        type="button"
        className="secondary"
        aria-label={`Classify again: ${name}`}
        onClick={() => setAsking(true)}
      >
        Classify again
      </button>
      {asking && (
        <Dialog
          title={`Classify ${name} again?`}
          onClose={() => setAsking(false)}
          focusElse="files-title"
        >
          <form
            onSubmit={(event) => {
              event.preventDefault();
              start();
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
            {problem && (
              <p className="notice bad" role="alert">
                {problem}
              </p>
            )}
            <p className="choices">
              <button type="submit" className="primary" disabled={busy}>
                Classify again
              </button>
              <button type="button" className="secondary" onClick={() => setAsking(false)}>
                Cancel
              </button>
            </p>
          </form>
        </Dialog>
      )}
    </>
  );
}
