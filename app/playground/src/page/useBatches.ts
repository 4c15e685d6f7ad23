import { useEffect, useRef, useState } from 'react';
import { credentials } from '../shared/credentials';
import type { Failure } from '../shared/failure';
import { counted } from '../shared/format';
import { nameOf } from './files';
import { isUnfinished } from './followBatch';
import type { BatchFragment, FileFragment } from './operations.generated';
import { go, NO_FILTERS, route } from './route';
import { say } from './toasts';
import type { Upload, UploadQueue } from './uploadQueue';
import { type Following, useFollowing } from './useFollowing';

interface Given {
  queue: UploadQueue;
  /** The latest batches as listed by the service. */
  listed: readonly FileFragment[];
  clientKey: string;
  /** Called when songs were stored, or a batch started or ended. */
  onChange: () => void;
  onFailure: (failure: Failure) => void;
}

interface Batches {
  unfinished: readonly FileFragment[];
  followed: Readonly<Record<string, Following>>;
  /** The batch that just finished and is now shown. */
  arrived: string | null;
  /** Follow a batch that has just started. */
  accept: (file: FileFragment) => void;
}

/** A batch accepted by the service, and the client that sent it. */
interface Accepted {
  file: FileFragment;
  clientKey: string;
}

/** Take batches from the upload queue, follow unfinished ones, and report when they end. */
export function useBatches({ queue, listed, clientKey, onChange, onFailure }: Given): Batches {
  const [accepted, setAccepted] = useState<readonly Accepted[]>([]);
  const [ended, setEnded] = useState<ReadonlySet<string>>(new Set());
  const [arrived, setArrived] = useState<string | null>(null);
  /** The upload of each background batch. */
  const sources = useRef(new Map<string, Upload>());

  const mine = accepted.filter((one) => one.clientKey === clientKey).map(({ file }) => file);
  // Keep an accepted batch until its end is handled, even if the list already shows it as finished.
  const unfinished = [
    ...new Map([...mine, ...listed.filter(isUnfinished)].map((file) => [file.id, file])).values(),
  ].filter(({ id }) => !ended.has(id));

  function show(batch: BatchFragment) {
    setArrived(batch.id);
    go({ ...NO_FILTERS, view: 'songs', song: null, file: batch.id });
  }

  /** Show the songs to a user who waited; otherwise show a toast, without changing the view. */
  function onSucceeded(batch: BatchFragment, upload: Upload | undefined, last: boolean) {
    if (last && upload?.shown === route.get()) show(batch);
    else sayClassified(batch, () => show(batch));
  }

  function accept(file: FileFragment) {
    setEnded((all) => new Set([...all].filter((id) => id !== file.id)));
    setAccepted((all) => [{ file, clientKey }, ...all]);
    onChange();
  }

  function onEnd(batch: BatchFragment) {
    const source = sources.current.get(batch.id);
    setEnded((all) => new Set(all).add(batch.id));
    onChange();
    if (batch.status === 'SUCCEEDED') {
      onSucceeded(batch, source, queue.uploads.get().length === 0);
    } else if (batch.status === 'CANCELLED') {
      say(`${nameOf(batch)} was cancelled. Nothing was stored.`);
    } else {
      say(`${nameOf(batch)} failed. Nothing was stored.`, { bad: true });
      queue.addRefused(nameOf(batch), source ?? null, {
        message: batch.error ?? 'It could not be classified.',
        problems: batch.problems,
        problemCount: batch.problemCount,
      });
    }
  }

  function onLost(failure: Failure, id: string) {
    if (failure.kind !== 'deleted') return onFailure(failure);
    const file = unfinished.find((one) => one.id === id);
    if (file) say(`${nameOf(file)} was deleted.`);
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
      onFailure: (failure, upload) => {
        if (isMine(upload)) onFailure(failure);
      },
      onBatch: (batch, upload, last) => {
        if (!isMine(upload)) {
          say(`${nameOf(batch)} was uploaded as ${upload.client?.clientId}.`);
        } else if (isUnfinished(batch)) {
          sources.current.set(batch.id, upload);
          accept(batch);
        } else {
          onChange();
          onSucceeded(batch, upload, last);
        }
      },
    };
  });

  return { unfinished, followed, arrived, accept };
}

const isMine = ({ client }: Upload) => client?.clientId === credentials.get()?.clientId;

function sayClassified(batch: BatchFragment, run: () => void): void {
  const text = `${nameOf(batch)}: ${counted(batch.rowsClassified, 'song')} classified.`;
  say(text, { action: { label: 'Show songs', run } });
}
