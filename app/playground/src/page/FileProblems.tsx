import { useState } from 'react';
import { counted } from '../shared/format';
import { execute } from './api';
import { BatchDocument } from './operations.generated';
import { Problems } from './Problems';
import { Skeleton } from './SongList';
import { useRequest } from './useRequest';

/** The problems of a batch, loaded when opened. */
export function FileProblems({ id, problemCount }: { id: string; problemCount: number }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{counted(problemCount, 'problem')}</summary>
      {open && <Loaded id={id} />}
    </details>
  );
}

function Loaded({ id }: { id: string }) {
  const { value, failure } = useRequest(id, (signal) => execute(BatchDocument, { id }, { signal }));
  if (failure) return <p className="notice bad">{failure.message}</p>;
  const batch = value?.batch;
  return batch ? (
    <Problems problems={batch.problems} problemCount={batch.problemCount} />
  ) : (
    <Skeleton lines={3} />
  );
}
