import { useState } from 'react';
import { counted } from '../shared/format';
import { execute } from './api';
import { DeleteBatchDocument } from './operations.generated';
import { EVERYTHING, go, route } from './route';
import { say } from './toasts';
import { asFailure } from './useRequest';

interface Props {
  batchId: string;
  onDeleted: () => void;
}

/** Says that the sample songs are synthetic, and offers to remove them. */
export function SampleNote({ batchId, onDeleted }: Props) {
  const [busy, setBusy] = useState(false);

  async function remove() {
    setBusy(true);
    try {
      const { deleteBatch } = await execute(DeleteBatchDocument, { id: batchId, songs: true });
      say(`Removed ${counted(deleteBatch.songsDeleted, 'sample song')}.`);
      // Do not change the view if the user has opened something else.
      const { view, file } = route.get();
      if (view === 'songs' && file === batchId) go(EVERYTHING);
      onDeleted();
    } catch (error) {
      say(asFailure(error).message, { bad: true });
      setBusy(false);
    }
  }

  return (
    <div className="notice plain sample">
      <p>These are synthetic sample songs.</p>
      <button type="button" className="secondary" disabled={busy} onClick={remove}>
        Remove the sample songs
      </button>
    </div>
  );
}
