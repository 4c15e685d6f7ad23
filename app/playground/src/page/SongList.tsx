import { useEffect, useRef, useState } from 'react';
import { count, counted, percent } from '../shared/format';
import { batchSongsFile, execute } from './api';
import { BYTE_ORDER_MARK, saveFile, songsCsv } from './csv';
import { SongsDocument } from './operations.generated';
import { genreClass } from './palette';
import { allSongs, type SongFilter, songVariables, wholeBatch } from './songs';
import { asFailure, useRequest } from './useRequest';

interface Props {
  batchId: string | null;
  genre: string | null;
  order: readonly string[];
  /** Changes when songs were stored, so that the list is read anew. */
  revision: number;
  onOpen: (trackId: string) => void;
}

const PAGE = 25;
const TYPING_MS = 250;

/** The songs of a genre, or all: searched, page by page, and as a file. */
export function SongList({ batchId, genre, order, revision, onOpen }: Props) {
  const [typed, setTyped] = useState('');
  const titleContains = useSettled(typed, TYPING_MS);
  const [confident, setConfident] = useState<boolean | null>(null);
  const filter: SongFilter = { batchId, genre, titleContains, confident };
  const filterKey = JSON.stringify([filter, revision]);
  // The cursors of the pages before this one; another filter starts at its first page.
  const [trail, setTrail] = useState<{ of: string; cursors: string[] }>({ of: '', cursors: [] });
  const cursors = trail.of === filterKey ? trail.cursors : [];
  const after = cursors.at(-1) ?? null;
  const heading = useRef<HTMLHeadingElement>(null);

  const page = useRequest(`${filterKey} ${after}`, async (signal) => {
    const place = { first: PAGE, after, count: false };
    const { songs } = await execute(SongsDocument, songVariables(filter, place), { signal });
    return { songs, from: cursors.length * PAGE };
  });
  const total = useRequest(filterKey, async (signal) => {
    const first = { first: 0, after: null, count: true };
    const { songs } = await execute(SongsDocument, songVariables(filter, first), { signal });
    return songs.totalCount ?? 0;
  });
  // A number about other songs than those in the list would be wrong.
  const known = total.loading || page.loading ? null : total.value;
  const songs = page.value?.songs;
  const from = page.value?.from ?? 0;

  function turn(next: string[]) {
    setTrail({ of: filterKey, cursors: next });
    heading.current?.focus();
  }

  return (
    <section className="card songs" aria-labelledby="songs-title">
      <header>
        <h2 className="card-title" id="songs-title" tabIndex={-1} ref={heading}>
          {genre ? (
            <>
              <span className={`dot ${genreClass(genre, order)}`} aria-hidden="true" /> {genre}
            </>
          ) : (
            'All songs'
          )}
          <span className="quiet" role="status">
            {known === null ? '' : counted(known, 'song')}
          </span>
        </h2>
        <Download filter={filter} total={known} />
      </header>
      <search className="filters">
        <input
          type="search"
          placeholder="Search in titles"
          aria-label="Search in titles"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <select
          aria-label="Confidence"
          value={String(confident)}
          onChange={(event) =>
            setConfident(event.target.value === 'null' ? null : event.target.value === 'true')
          }
        >
          <option value="null">Any confidence</option>
          <option value="true">Confident only</option>
          <option value="false">Uncertain only</option>
        </select>
      </search>
      {page.failure && (
        <p className="notice bad" role="alert">
          {page.failure.message}
        </p>
      )}
      {songs && (
        <>
          {songs.nodes.length === 0 ? (
            <p className="empty">No song fits.</p>
          ) : (
            <table className={`list ${page.loading ? 'loading' : ''}`}>
              <thead>
                <tr>
                  <th scope="col">Title</th>
                  <th scope="col">Genre</th>
                  <th scope="col">Confidence</th>
                </tr>
              </thead>
              <tbody>
                {songs.nodes.map((song) => (
                  <tr key={song.trackId}>
                    <td>
                      <button type="button" className="link" onClick={() => onOpen(song.trackId)}>
                        {song.title || '(no title)'}
                      </button>
                    </td>
                    <td>
                      <span
                        className={`dot ${genreClass(song.genre.name, order)}`}
                        aria-hidden="true"
                      />{' '}
                      {song.genre.name}
                    </td>
                    <td>
                      <span className="confidence">
                        <span className="meter" aria-hidden="true">
                          <span
                            className={genreClass(song.genre.name, order)}
                            style={{ width: `${song.confidence * 100}%` }}
                          />
                        </span>
                        {percent(song.confidence)}
                        {!song.confident && <span className="tag">uncertain</span>}
                      </span>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
          <nav className="pages" aria-label="Pages of songs">
            <button
              type="button"
              className="secondary"
              disabled={cursors.length === 0}
              onClick={() => turn(cursors.slice(0, -1))}
            >
              Previous
            </button>
            <span className="quiet">
              {songs.nodes.length > 0 &&
                `${count(from + 1)}–${count(from + songs.nodes.length)}${
                  known === null ? '' : ` of ${count(known)}`
                }`}
            </span>
            <button
              type="button"
              className="secondary"
              disabled={!songs.pageInfo.hasNextPage}
              onClick={() =>
                songs.pageInfo.endCursor && turn([...cursors, songs.pageInfo.endCursor])
              }
            >
              Next
            </button>
          </nav>
        </>
      )}
    </section>
  );
}

/** Everything that the list shows as a CSV file: a whole batch in one piece, anything else by pages. */
function Download({ filter, total }: { filter: SongFilter; total: number | null }) {
  const [note, setNote] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  async function download() {
    const controller = new AbortController();
    stop.current = controller;
    setBusy(true);
    try {
      const batchId = wholeBatch(filter);
      if (batchId) {
        setNote('Reading …');
        saveFile('songs.csv', BYTE_ORDER_MARK, await batchSongsFile(batchId, controller.signal));
        setNote(`${counted(total ?? 0, 'song')} saved`);
        return;
      }
      const progress = (done: number) => setNote(`${counted(done, 'song')} read`);
      const songs = await allSongs(filter, progress, controller.signal);
      saveFile(`${(filter.genre ?? 'songs').replaceAll(' ', '-')}.csv`, songsCsv(songs));
      setNote(`${counted(songs.length, 'song')} saved`);
    } catch (error) {
      setNote(asFailure(error).message);
    } finally {
      setBusy(false);
    }
  }

  return (
    <div className="download">
      <span className="quiet" role="status">
        {note}
      </span>
      <button type="button" className="secondary" disabled={busy || !total} onClick={download}>
        Download CSV
      </button>
    </div>
  );
}

/** The value once it has not changed for a while. */
function useSettled(value: string, ms: number): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
