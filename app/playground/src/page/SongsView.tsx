import { useEffect, useRef } from 'react';
import { counted, when } from '../shared/format';
import { resultsKept } from './answers';
import { execute } from './api';
import { BatchSummary } from './BatchSummary';
import { SAMPLE_NAME } from './download';
import { nameOf } from './files';
import { GenreBars } from './GenreBars';
import { GenreHistory } from './GenreHistory';
import { BatchDocument, type BatchFragment, type OverviewQuery } from './operations.generated';
import { EVERYTHING, go, NO_FILTERS, type Route } from './route';
import { SampleNote } from './SampleNote';
import { SongDialog } from './SongDialog';
import { Skeleton, SongList } from './SongList';
import { useRequest } from './useRequest';
import { useSongs } from './useSongs';

interface Props {
  overview: OverviewQuery;
  shown: Route;
  /** Changes when songs were stored or deleted, or the client changed. */
  revision: string;
  /** The last uploaded batch, to which the focus moves. */
  arrived: string | null;
  onDeleted: () => void;
}

/** The genres of all songs or of one file, and the songs themselves. */
export function SongsView({ overview, shown, revision, arrived, onDeleted }: Props) {
  const { file } = shown;
  const request = useRequest(`${file} ${revision}`, async (signal) =>
    file ? (await execute(BatchDocument, { id: file }, { signal })).batch : null,
  );
  const batch = request.value?.id === file ? request.value : null;
  const missing = file !== null && !request.loading && !request.failure && !batch;
  const order = overview.model.genres;
  const answersKept = batch !== null && resultsKept(batch);
  const page = useSongs(shown, answersKept, expectedSongs(overview, batch, file), revision);

  const heading = useRef<HTMLHeadingElement>(null);
  const focusedFor = useRef<string | null>(null);
  useEffect(() => {
    if (!arrived || arrived !== batch?.id || arrived === focusedFor.current) return;
    focusedFor.current = arrived; // choosing the same file later does not move the focus
    heading.current?.focus();
  }, [arrived, batch?.id]);

  function select(genre: string | null) {
    go({ genre });
    // If the list is below the genres and not beside them, the effect of the choice would be out of view.
    const list = document.getElementById('songs-title');
    if (list && list.getBoundingClientRect().top > innerHeight) list.scrollIntoView();
  }

  const genres = file ? countsOf(batch) : overview.genres;
  const compared = overview.batches.nodes.find(({ id }) => id === shown.compare) ?? null;
  return (
    <div className="results">
      <section className="card genres" aria-labelledby="genres-title">
        <header>
          <h2 className="card-title" id="genres-title" tabIndex={-1} ref={heading}>
            Genres
          </h2>
          <FileChoice overview={overview} batch={batch} file={file} missing={missing} />
        </header>
        {request.failure && (
          <p className="notice bad" role="alert">
            {request.failure.message}
          </p>
        )}
        {missing && (
          <p className="empty">
            This file does not exist. It may have been deleted.{' '}
            <button type="button" className="link" onClick={() => go(EVERYTHING)}>
              Show all songs
            </button>
          </p>
        )}
        {file && !batch && request.loading && <Skeleton />}
        <div aria-live="polite">{batch && <BatchSummary batch={batch} />}</div>
        {batch?.fileName === SAMPLE_NAME && <SampleNote batchId={batch.id} onDeleted={onDeleted} />}
        {genres.length > 0 && (
          <GenreBars
            genres={genres}
            others={file && compared ? countsOf(compared) : null}
            order={order}
            selected={shown.genre}
            onSelect={select}
          />
        )}
        {batch && <Comparison overview={overview} file={batch.id} compared={compared} />}
        {!file && <GenreHistory batches={overview.batches.nodes} order={order} />}
      </section>
      {!missing && !request.failure && <SongList shown={shown} page={page} order={order} />}
      {shown.song && (
        <SongDialog
          trackId={shown.song}
          file={file}
          neighbours={(page.all ?? page.rows).map(({ trackId }) => trackId)}
          order={order}
        />
      )}
    </div>
  );
}

const countsOf = (batch: Pick<BatchFragment, 'genres'> | null) =>
  (batch?.genres ?? []).map(({ genre, songCount }) => ({ name: genre.name, songCount }));

interface ComparisonProps {
  overview: OverviewQuery;
  file: string;
  compared: { id: string } | null;
}

/** Selects the file to compare with. */
function Comparison({ overview, file, compared }: ComparisonProps) {
  const others = overview.batches.nodes.filter(
    ({ id, rowsClassified }) => id !== file && rowsClassified > 0,
  );
  if (others.length === 0) return null;
  return (
    <label className="compare">
      Compare with
      <select
        value={compared?.id ?? ''}
        onChange={(event) => go({ compare: event.target.value || null })}
      >
        <option value="">No other file</option>
        {others.map((one) => (
          <option key={one.id} value={one.id}>
            {nameOf(one)}, {when(one.createdAt)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Number of songs without filters; null if unknown. */
function expectedSongs(
  overview: OverviewQuery,
  batch: BatchFragment | null,
  file: string | null,
): number | null {
  if (!file) return overview.genres.reduce((sum, { songCount }) => sum + songCount, 0);
  if (!batch) return null;
  return resultsKept(batch) ? batch.rowsClassified : batch.rowsClassified - batch.songsSuperseded;
}

interface ChoiceProps {
  overview: OverviewQuery;
  batch: BatchFragment | null;
  file: string | null;
  missing: boolean;
}

function FileChoice({ overview, batch, file, missing }: ChoiceProps) {
  const recent = overview.batches.nodes.filter(({ status }) => status === 'SUCCEEDED');
  const listed = batch && !recent.some(({ id }) => id === batch.id) ? [batch, ...recent] : recent;
  return (
    <select
      aria-label="Songs of"
      value={file ?? ''}
      onChange={(event) => go({ ...NO_FILTERS, compare: null, file: event.target.value || null })}
    >
      <option value="">All stored songs</option>
      {file && !listed.some(({ id }) => id === file) && (
        <option value={file}>{missing ? 'No such file' : '…'}</option>
      )}
      {listed.map((one) => (
        <option key={one.id} value={one.id}>
          {nameOf(one)}, {when(one.createdAt)} ({counted(one.rowsClassified, 'song')})
        </option>
      ))}
    </select>
  );
}
