import { type DragEvent, useEffect, useRef, useState } from 'react';
import type { Configuration } from '../shared/configuration';
import type { Failure } from '../shared/failure';
import { percent } from '../shared/format';
import { execute } from './api';
import { BackgroundBatch } from './BackgroundBatch';
import { isUnfinished } from './followBatch';
import { type Followed, followedBefore, forgetFollowed, keepFollowed } from './followed';
import {
  type BatchFragment,
  ClassifyBatchDocument,
  type ClassifyBatchMutation,
} from './operations.generated';
import { Problems } from './Problems';
import { asFailure } from './useRequest';

type Refusal = Exclude<ClassifyBatchMutation['classifyBatch'], { __typename: 'Batch' }>;

type State =
  | { step: 'idle' }
  | { step: 'uploading'; file: string; share: number }
  | { step: 'classifying'; file: string }
  | { step: 'following'; followed: Followed }
  | { step: 'unsuccessful'; batch: BatchFragment }
  | { step: 'refused'; file: string; refusal: Refusal }
  | { step: 'failed'; failure: Failure };

interface Props {
  configuration: Configuration;
  /** Whether there are songs to look at below, so that this should take little room. */
  small: boolean;
  onBatch: (batch: BatchFragment) => void;
  onFailure: (failure: Failure) => void;
}

const SAMPLE = 'assets/songs.csv';

/** A larger file is not waited for in the request, which a proxy might cut off. */
const LARGE_BYTES = 20 * 1024 ** 2;

/** Drop or choose a file, see it go, and see what was wrong with it. */
export function Upload({ configuration, small, onBatch, onFailure }: Props) {
  const [state, setState] = useState<State>(() => {
    const followed = followedBefore();
    return followed ? { step: 'following', followed } : { step: 'idle' };
  });
  const [over, setOver] = useState(false);
  const [skipRows, setSkipRows] = useState(false);
  const [minConfidence, setMinConfidence] = useState(0);
  const stop = useRef<AbortController | null>(null);
  const picker = useRef<HTMLInputElement>(null);
  const sending = state.step === 'uploading' || state.step === 'classifying';
  const busy = sending || state.step === 'following';

  function take(batch: BatchFragment) {
    if (isUnfinished(batch)) {
      const followed = { id: batch.id, file: batch.fileName ?? 'the songs' };
      keepFollowed(followed);
      setState({ step: 'following', followed });
      return;
    }
    forgetFollowed();
    if (batch.status === 'SUCCEEDED') {
      setState({ step: 'idle' });
      onBatch(batch);
    } else {
      setState({ step: 'unsuccessful', batch });
    }
  }

  function leave() {
    forgetFollowed();
    setState({ step: 'idle' });
  }

  async function classify(file: File) {
    if (busy) return;
    const controller = new AbortController();
    stop.current = controller;
    setState({ step: 'uploading', file: file.name, share: 0 });
    try {
      const { classifyBatch: result } = await execute(
        ClassifyBatchDocument,
        {
          file,
          options: {
            onInvalidRow: skipRows ? 'SKIP_ROW' : 'REJECT_FILE',
            minConfidence,
            background: file.size > LARGE_BYTES,
          },
        },
        {
          files: { file },
          maxUploadBytes: configuration.maxUploadBytes,
          signal: controller.signal,
          onProgress: (share) =>
            setState(
              share < 1
                ? { step: 'uploading', file: file.name, share }
                : { step: 'classifying', file: file.name },
            ),
        },
      );
      if (result.__typename === 'Batch') {
        take(result);
      } else {
        setState({ step: 'refused', file: file.name, refusal: result });
      }
    } catch (error) {
      if (controller.signal.aborted) {
        setState({ step: 'idle' });
        return;
      }
      const failure = asFailure(error);
      setState({ step: 'failed', failure });
      onFailure(failure);
    }
  }

  async function trySample() {
    try {
      const response = await fetch(new URL(SAMPLE, document.baseURI));
      await classify(new File([await response.blob()], 'sample-songs.csv', { type: 'text/csv' }));
    } catch (error) {
      setState({ step: 'failed', failure: asFailure(error) });
    }
  }

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) classify(file);
  }

  return (
    <section className="card upload" aria-labelledby="upload-title">
      <h2 id="upload-title" className="unseen">
        Classify songs
      </h2>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the button inside does the same by keyboard */}
      <div
        className={`drop ${over ? 'over' : ''} ${small ? 'small' : ''}`}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
        aria-busy={busy}
      >
        {state.step === 'following' && (
          <BackgroundBatch
            followed={state.followed}
            onEnd={take}
            onLeave={leave}
            onFailure={onFailure}
          />
        )}
        {sending && (
          <div className="progress">
            <p className="big">
              {state.step === 'uploading' ? 'Uploading' : 'Finding the genres of'}{' '}
              <strong>{state.file}</strong>
            </p>
            <progress
              aria-label={state.step === 'uploading' ? 'Upload' : 'Classification'}
              {...(state.step === 'uploading' ? { value: state.share } : {})}
            />
            <p className="quiet">
              {state.step === 'uploading' ? percent(state.share) : 'A moment, please …'}
            </p>
            {state.step === 'uploading' && (
              <button type="button" className="secondary" onClick={() => stop.current?.abort()}>
                Stop
              </button>
            )}
          </div>
        )}
        {!busy && (
          <>
            <Wave />
            <p className="big">Drop a CSV of songs here</p>
            <p>
              <button type="button" className="primary" onClick={() => picker.current?.click()}>
                Choose a file
              </button>
            </p>
            <p className="quiet">
              No file at hand?{' '}
              <button type="button" className="link" onClick={trySample}>
                Try the sample songs
              </button>{' '}
              or{' '}
              <a href={SAMPLE} download="sample-songs.csv">
                download them
              </a>{' '}
              to see the columns.
            </p>
          </>
        )}
        <input
          ref={picker}
          type="file"
          accept=".csv,text/csv"
          className="unseen"
          aria-label="CSV file of songs"
          tabIndex={-1}
          onChange={(event) => {
            const file = event.target.files?.[0];
            event.target.value = '';
            if (file) classify(file);
          }}
        />
      </div>
      <div className="more">
        <details>
          <summary>What must the file hold?</summary>
          <p>
            A CSV file in UTF-8, separated by commas, with a header and these 157 columns in any
            order: <code>trackID</code>, <code>title</code>, <code>tags</code> (words of the
            lyrics), <code>loudness</code>, <code>tempo</code>, <code>time_signature</code>,{' '}
            <code>key</code>, <code>mode</code>, <code>duration</code> and <code>vect_1</code> to{' '}
            <code>vect_148</code> (audio features). Other columns are ignored. Rows with missing
            values are left out and counted.
          </p>
        </details>
        <details className="options">
          <summary>Options</summary>
          <label className="check">
            <input
              type="checkbox"
              checked={skipRows}
              onChange={(event) => setSkipRows(event.target.checked)}
            />
            Leave out rows with wrong values instead of refusing the file
          </label>
          <label className="slider">
            <span>
              Mark songs below <output>{percent(minConfidence)}</output> confidence as uncertain
            </span>
            <input
              type="range"
              min="0"
              max="0.95"
              step="0.05"
              value={minConfidence}
              aria-valuetext={percent(minConfidence)}
              onChange={(event) => setMinConfidence(Number(event.target.value))}
            />
          </label>
        </details>
      </div>
      <div aria-live="polite">
        {state.step === 'refused' && (
          <div className="notice bad">
            <h3>{state.file} was refused; nothing was stored</h3>
            {state.refusal.__typename === 'InvalidSongFile' ? (
              <Problems
                problems={state.refusal.problems}
                problemCount={state.refusal.problemCount}
              />
            ) : (
              <p>{state.refusal.message}</p>
            )}
          </div>
        )}
        {state.step === 'unsuccessful' && <Unsuccessful batch={state.batch} />}
        {state.step === 'failed' && (
          <div className="notice bad">
            <p>{state.failure.message}</p>
          </div>
        )}
      </div>
    </section>
  );
}

/** Why a batch in the background has no songs. */
function Unsuccessful({ batch }: { batch: BatchFragment }) {
  const cancelled = batch.status === 'CANCELLED';
  const heading = useRef<HTMLHeadingElement>(null);
  // The button that had the focus is gone with the progress.
  useEffect(() => heading.current?.focus(), []);
  return (
    <div className={`notice ${cancelled ? 'plain' : 'bad'}`}>
      <h3 tabIndex={-1} ref={heading}>
        {`${batch.fileName ?? 'The batch'} ${
          cancelled ? 'was cancelled' : 'could not be classified'
        }; nothing was stored`}
      </h3>
      {batch.error && <p>{batch.error}</p>}
      {batch.problemCount > 0 && (
        <Problems problems={batch.problems} problemCount={batch.problemCount} />
      )}
    </div>
  );
}

function Wave() {
  const heights = [10, 22, 34, 18, 44, 28, 52, 30, 40, 20, 32, 14, 24];
  return (
    <svg className="wave" viewBox="0 0 156 60" aria-hidden="true">
      {heights.map((height, index) => (
        <rect
          // biome-ignore lint/suspicious/noArrayIndexKey: the list never changes
          key={index}
          x={index * 12 + 2}
          y={30 - height / 2}
          width="6"
          height={height}
          rx="3"
        />
      ))}
    </svg>
  );
}
