import { useState } from 'react';
import type { Failure } from '../shared/failure';
import { batchAnswers } from './answers';
import { execute } from './api';
import { SongsDocument } from './operations.generated';
import { EVERYTHING, type Route } from './route';
import { allSongs, type SongRow, songVariables } from './songs';
import { matching, sorted, withinRange } from './songsInMemory';
import { useRequest } from './useRequest';

/** Maximum number of songs to load at once, and sort and filter in memory. */
const IN_MEMORY = 5000;

const PAGE = 25;

export interface SongPage {
  rows: readonly SongRow[];
  /** Position of the first row in the list, from 0. */
  from: number;
  /** Number of songs in the list; null if unknown. */
  total: number | null;
  /** Songs of any confidence, for the histogram; null if the list is not in memory. */
  ofAnyConfidence: readonly SongRow[] | null;
  /** The songs of all pages; null if the list is not in memory. */
  all: readonly SongRow[] | null;
  loading: boolean;
  failure: Failure | null;
  previous: (() => void) | null;
  next: (() => void) | null;
}

/**
 * Return a page of the songs that the route selects.
 *
 * @param answersKept whether the file's original results are available.
 * @param expected number of songs without filters; null if unknown.
 * @param key changes when songs were stored or the client changed.
 */
export function useSongs(
  shown: Route,
  answersKept: boolean,
  expected: number | null,
  key: string,
): SongPage {
  const small = expected !== null && expected <= IN_MEMORY;
  const inMemory = useInMemory(shown, small, answersKept, key);
  const paged = usePaged(shown, expected !== null && !small, key);
  if (expected === null) return { ...inMemory, total: null, loading: true };
  return small ? inMemory : paged;
}

function useInMemory(shown: Route, active: boolean, answersKept: boolean, key: string): SongPage {
  const request = useRequest(`${active} ${answersKept} ${shown.file} ${key}`, async (signal) =>
    active
      ? await (answersKept && shown.file
          ? batchAnswers(shown.file, signal)
          : allSongs({ ...EVERYTHING, file: shown.file }, () => {}, signal))
      : null,
  );
  const filterKey = JSON.stringify({ ...shown, song: null, view: null });
  const [page, setPage] = useState({ of: '', number: 0 });
  const matched = request.value ? matching(request.value, shown) : null;
  const all = matched && sorted(withinRange(matched, shown), shown.sort);
  const number = page.of === filterKey ? page.number : 0;
  const from = number * PAGE;
  const turn = (to: number) => () => setPage({ of: filterKey, number: to });
  return {
    rows: all?.slice(from, from + PAGE) ?? [],
    from,
    total: request.loading ? null : (all?.length ?? null),
    ofAnyConfidence: matched ?? [], // reserves the space of the filters while songs load
    all,
    loading: request.loading,
    failure: request.failure,
    previous: number > 0 ? turn(number - 1) : null,
    next: all && from + PAGE < all.length ? turn(number + 1) : null,
  };
}

function usePaged(shown: Route, active: boolean, key: string): SongPage {
  const filterKey = `${active} ${JSON.stringify({ ...shown, song: null, view: null })} ${key}`;
  // The cursors of the previous pages; another filter starts at its first page.
  const [trail, setTrail] = useState<{ of: string; cursors: string[] }>({ of: '', cursors: [] });
  const cursors = trail.of === filterKey ? trail.cursors : [];
  const after = cursors.at(-1) ?? null;
  const page = useRequest(`${filterKey} ${after}`, async (signal) => {
    if (!active) return null;
    const place = { first: PAGE, after, count: false };
    const { songs } = await execute(SongsDocument, songVariables(shown, place), { signal });
    return { songs, from: cursors.length * PAGE };
  });
  const total = useRequest(filterKey, async (signal) => {
    if (!active) return null;
    const place = { first: 0, after: null, count: true };
    const { songs } = await execute(SongsDocument, songVariables(shown, place), { signal });
    return songs.totalCount ?? 0;
  });
  const end = page.value?.songs.pageInfo;
  const turn = (next: string[]) => () => setTrail({ of: filterKey, cursors: next });
  return {
    rows: page.value?.songs.nodes ?? [],
    from: page.value?.from ?? 0,
    // Do not show the count of another list.
    total: total.loading || page.loading ? null : total.value,
    ofAnyConfidence: null,
    all: null,
    loading: page.loading,
    failure: page.failure,
    previous: cursors.length > 0 ? turn(cursors.slice(0, -1)) : null,
    next: end?.hasNextPage && end.endCursor ? turn([...cursors, end.endCursor]) : null,
  };
}
