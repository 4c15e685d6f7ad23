import { useEffect, useRef, useState } from 'react';
import { count, counted, percent } from '../shared/format';
import { ConfidenceRange } from './ConfidenceRange';
import { genreClass } from './palette';
import { go, NO_FILTERS, type Route, SORTS, type Sort } from './route';
import { SaveSongs } from './SaveSongs';
import type { SongRow } from './songs';
import type { SongPage } from './useSongs';

interface Props {
  shown: Route;
  page: SongPage;
  order: readonly string[];
}

const TYPING_MS = 250;

const SORT_LABELS: Record<Sort, string> = {
  title: 'By title',
  'most-confident': 'Most confident first',
  'least-confident': 'Least confident first',
};

/** A list of songs with search, filters, pages and download. */
export function SongList({ shown, page, order }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { rows, from, total } = page;

  function turn(move: () => void) {
    move();
    heading.current?.focus();
  }

  return (
    <section className="card songs" aria-labelledby="songs-title" aria-busy={page.loading}>
      <header>
        <h2 className="card-title" id="songs-title" tabIndex={-1} ref={heading}>
          {shown.genre ? (
            <>
              <span className={`dot ${genreClass(shown.genre, order)}`} aria-hidden="true" />{' '}
              {shown.genre}
            </>
          ) : (
            'All songs'
          )}
          <span className="quiet" role="status">
            {total === null ? '' : counted(total, 'song')}
          </span>
        </h2>
        <SaveSongs shown={shown} all={page.all} total={total} />
      </header>
      <Filters shown={shown} page={page} />
      {page.failure && (
        <p className="notice bad" role="alert">
          {page.failure.message}
        </p>
      )}
      {page.loading && rows.length === 0 && <Skeleton />}
      {!page.loading && !page.failure && rows.length === 0 && (
        <p className="empty">
          No songs match.{' '}
          <button type="button" className="link" onClick={() => go(NO_FILTERS)}>
            Clear filters
          </button>
        </p>
      )}
      {rows.length > 0 && (
        <>
          <SongTable rows={rows} order={order} loading={page.loading} />
          <nav className="pages" aria-label="Pages of songs">
            <button
              type="button"
              className="secondary"
              disabled={!page.previous}
              onClick={() => page.previous && turn(page.previous)}
            >
              Previous
            </button>
            <span className="quiet number">
              {`${count(from + 1)}–${count(from + rows.length)}`}
              {total === null ? '' : ` of ${count(total)}`}
            </span>
            <button
              type="button"
              className="secondary"
              disabled={!page.next}
              onClick={() => page.next && turn(page.next)}
            >
              Next
            </button>
          </nav>
        </>
      )}
    </section>
  );
}

function Filters({ shown, page }: { shown: Route; page: SongPage }) {
  return (
    <search className="filters">
      {/* The key clears the search when another file is shown. */}
      <SearchField key={shown.file} search={shown.search} />
      <select
        aria-label="Order"
        value={shown.sort}
        onChange={(event) =>
          go({ sort: SORTS.find((sort) => sort === event.target.value) ?? 'title' })
        }
      >
        {SORTS.map((sort) => (
          <option key={sort} value={sort}>
            {SORT_LABELS[sort]}
          </option>
        ))}
      </select>
      {!page.ofAnyConfidence && (
        <select
          aria-label="Confidence"
          value={String(shown.confident)}
          onChange={(event) =>
            go({ confident: event.target.value === 'null' ? null : event.target.value === 'true' })
          }
        >
          <option value="null">Any confidence</option>
          <option value="true">Confident only</option>
          <option value="false">Uncertain only</option>
        </select>
      )}
      <ConfidenceRange
        songs={page.ofAnyConfidence}
        from={shown.from}
        to={shown.to}
        selected={page.total}
        onChange={(range) => go(range, { replace: true })}
      />
    </search>
  );
}

/** A search field that updates the URL after a pause in typing. */
function SearchField({ search }: { search: string }) {
  const [typed, setTyped] = useState(search);
  useEffect(() => setTyped(search), [search]);
  useEffect(() => {
    if (typed === search) return;
    const timer = setTimeout(() => go({ search: typed }, { replace: true }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, search]);
  return (
    <input
      type="search"
      placeholder="Search titles"
      aria-label="Search titles"
      value={typed}
      onChange={(event) => setTyped(event.target.value)}
    />
  );
}

interface TableProps {
  rows: readonly SongRow[];
  order: readonly string[];
  loading: boolean;
}

function SongTable({ rows, order, loading }: TableProps) {
  return (
    <table className={`list ${loading ? 'loading' : ''}`}>
      <thead>
        <tr>
          <th scope="col">Title</th>
          <th scope="col">Genre</th>
          <th scope="col">Confidence</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((song) => (
          <tr key={song.trackId} className={genreClass(song.genre.name, order)}>
            <td>
              <button type="button" className="link" onClick={() => go({ song: song.trackId })}>
                {song.title || '(no title)'}
              </button>
            </td>
            <td>
              <span className="dot" aria-hidden="true" /> {song.genre.name}
            </td>
            <td>
              <span className="confidence">
                <span className="meter" aria-hidden="true">
                  <span className="fill" style={{ width: `${song.confidence * 100}%` }} />
                </span>
                {percent(song.confidence)}
                {!song.confident && <span className="tag">uncertain</span>}
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Skeleton({ lines = 8 }: { lines?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: all rows are the same
        <span key={index} />
      ))}
    </div>
  );
}
