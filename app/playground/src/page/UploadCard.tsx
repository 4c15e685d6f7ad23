import { type ReactNode, useEffect, useRef, useState } from 'react';
import { percent } from '../shared/format';
import { downloadTemplate, sampleSongs } from './download';
import type { UploadQueue } from './uploadQueue';

interface Props {
  queue: UploadQueue;
  /** Whether to take little space because there is content below. */
  small: boolean;
  /** Current uploads, shown below the drop zone. */
  children: ReactNode;
}

/** Takes files by picker, or dropped anywhere on the page. */
export function UploadCard({ queue, small, children }: Props) {
  const [skipInvalidRows, setSkipInvalidRows] = useState(false);
  const [classifyIncompleteRows, setClassifyIncompleteRows] = useState(false);
  const [minConfidence, setMinConfidence] = useState(0.5);
  const [problem, setProblem] = useState<string | null>(null);
  const picker = useRef<HTMLInputElement>(null);
  const over = useDropAnywhere((files) => add(files));

  function add(files: readonly File[]) {
    setProblem(null);
    queue.add(files, { skipInvalidRows, classifyIncompleteRows, minConfidence });
  }

  const orSay = (work: Promise<void>) =>
    work.catch(() => setProblem('The sample songs cannot be loaded. Try again.'));

  return (
    <section className="card upload" aria-labelledby="upload-title">
      <h2 id="upload-title" className="unseen">
        Classify songs
      </h2>
      <div className={`drop ${over ? 'over' : ''} ${small ? 'small' : ''}`}>
        {!small && <Wave />}
        <p className="big">Drop CSV files of songs here</p>
        <button type="button" className="primary" onClick={() => picker.current?.click()}>
          Choose files
        </button>
        <p className="quiet">
          No file yet?{' '}
          <button
            type="button"
            className="link"
            onClick={() => orSay(sampleSongs().then((file) => add([file])))}
          >
            Try the sample songs
          </button>{' '}
          or{' '}
          <button type="button" className="link" onClick={() => orSay(downloadTemplate())}>
            download a template
          </button>
          .
        </p>
        <input
          ref={picker}
          type="file"
          multiple
          accept=".csv,text/csv"
          className="unseen"
          aria-label="CSV files of songs"
          tabIndex={-1}
          onChange={(event) => {
            const files = [...(event.target.files ?? [])];
            event.target.value = '';
            if (files.length > 0) add(files);
          }}
        />
      </div>
      {problem && (
        <p className="notice bad" role="alert">
          {problem}
        </p>
      )}
      {children}
      <div className="more">
        <Format />
        <details className="options">
          <summary>Options</summary>
          <label className="check">
            <input
              type="checkbox"
              checked={skipInvalidRows}
              onChange={(event) => setSkipInvalidRows(event.target.checked)}
            />
            Skip rows with invalid values instead of rejecting the file
          </label>
          <label className="check">
            <input
              type="checkbox"
              checked={classifyIncompleteRows}
              onChange={(event) => setClassifyIncompleteRows(event.target.checked)}
            />
            Also classify rows with missing values (less accurate)
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
      {over && (
        <div className="drop-anywhere" aria-hidden="true">
          Drop to classify
        </div>
      )}
    </section>
  );
}

function Format() {
  return (
    <details>
      <summary>File format</summary>
      <p>
        A CSV file in UTF-8, separated by commas, with a header and these 157 columns in any order:{' '}
        <code>trackID</code>, <code>title</code>, <code>tags</code> (stemmed words of the lyrics),{' '}
        <code>loudness</code>, <code>tempo</code>, <code>time_signature</code>, <code>key</code>,{' '}
        <code>mode</code>, <code>duration</code> and <code>vect_1</code> to <code>vect_148</code>{' '}
        (pre-extracted statistics of timbre, chroma and MFCC). Other columns are ignored. Rows with
        missing values are skipped and counted.
      </p>
    </details>
  );
}

/** Handle files dropped anywhere, which the browser would otherwise open instead of the page. */
function useDropAnywhere(onFiles: (files: File[]) => void): boolean {
  const [over, setOver] = useState(false);
  const latest = useRef(onFiles);
  latest.current = onFiles;
  useEffect(() => {
    const withFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const dragOver = (event: DragEvent) => {
      if (!withFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => event.relatedTarget === null && setOver(false);
    const drop = (event: DragEvent) => {
      if (!withFiles(event)) return;
      event.preventDefault();
      setOver(false);
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length > 0) latest.current(files);
    };
    addEventListener('dragover', dragOver);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', dragOver);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, []);
  return over;
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
