import { useEffect, useRef, useState } from 'react';
import type { Failure } from '../shared/failure';
import { counted } from '../shared/format';
import { nameOf } from './files';
import { isUnfinished } from './followBatch';
import type { BatchFragment, FileFragment } from './operations.generated';
import { go, NO_FILTERS, type Route, route } from './route';
import { say } from './toasts';
import type { Upload, UploadQueue } from './uploadQueue';
import { type Following, useFollowing } from './useFollowing';

interface Given {
  queue: UploadQueue;
  /** The latest batches, as the service lists them. */
  listed: readonly FileFragment[];
  clientKey: string;
  /** Something was stored, has begun or has ended. */
  onChange: () => void;
  onFailure: (failure: Failure) => void;
}

interface Batches {
  unfinished: readonly FileFragment[];
  followed: Readonly<Record<string, Following>>;
  /** The batch that the reader waits for and that is shown now. */
  arrived: string | null;
}

/** Where an upload that was queued came from, and what the page showed then. */
interface Source {
  upload: Upload;
  shown: Route;
}

/** A batch that the service has taken, and from whom. */
interface Accepted {
  file: FileFragment;
  clientKey: string;
}

/** Takes what the queue has sent, follows what is unfinished, and says when it has ended. */
export function useBatches({ queue, listed, clientKey, onChange, onFailure }: Given): Batches {
  const [accepted, setAccepted] = useState<readonly Accepted[]>([]);
  const [ended, setEnded] = useState<ReadonlySet<string>>(new Set());
  const [arrived, setArrived] = useState<string | null>(null);
  const sources = useRef(new Map<string, Source>());

  const mine = accepted.filter((one) => one.clientKey === clientKey).map(({ file }) => file);
  // One accepted here stays until its end was handled, even if the list names the end before.
  const unfinished = [
    ...new Map([...mine, ...listed.filter(isUnfinished)].map((file) => [file.id, file])).values(),
  ].filter(({ id }) => !ended.has(id));

  function show(batch: BatchFragment) {
    setArrived(batch.id);
    go({ ...NO_FILTERS, view: 'songs', song: null, file: batch.id });
  }

  function onEnd(batch: BatchFragment) {
    const source = sources.current.get(batch.id);
    setEnded((all) => new Set(all).add(batch.id));
    onChange();
    if (batch.status === 'SUCCEEDED') {
      // Whoever waited is led to the songs; whoever looks at something else is not taken from it.
      const waited = source?.shown === route.get() && queue.uploads.get().length === 0;
      if (waited) show(batch);
      else sayClassified(batch, () => show(batch));
    } else if (batch.status === 'CANCELLED') {
      say(`${nameOf(batch)} was cancelled. Nothing was stored.`);
    } else {
      say(`${nameOf(batch)} failed. Nothing was stored.`, { bad: true });
      queue.addRefused(nameOf(batch), source?.upload ?? null, {
        message: batch.error ?? 'It could not be classified.',
        problems: batch.problems,
        problemCount: batch.problemCount,
      });
    }
  }

  function onLost(failure: Failure, id: string) {
    if (failure.kind !== 'gone') return onFailure(failure);
    setEnded((all) => new Set(all).add(id));
    onChange();
  }

  const followed = useFollowing(
    unfinished.map(({ id }) => id),
    clientKey,
    { onEnd, onFailure: onLost },
  );

  useEffect(() => {
    queue.listener = {
      onFailure,
      onBatch: (batch, upload, last) => {
        onChange();
        if (isUnfinished(batch)) {
          sources.current.set(batch.id, { upload, shown: route.get() });
          setEnded((all) => new Set([...all].filter((id) => id !== batch.id)));
          setAccepted((all) => [{ file: batch, clientKey }, ...all]);
        } else if (last) show(batch);
        else sayClassified(batch, () => show(batch));
      },
    };
  });

  return { unfinished, followed, arrived };
}

function sayClassified(batch: BatchFragment, run: () => void): void {
  const text = `${nameOf(batch)}: ${counted(batch.rowsClassified, 'song')} classified.`;
  say(text, { action: { label: 'Show songs', run } });
}
