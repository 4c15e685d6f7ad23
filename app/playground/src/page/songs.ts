/** Filters of songs, and pages of them. */

import { execute } from './api';
import { SongsDocument, type SongsQuery, type SongsQueryVariables } from './operations.generated';
import type { Route, Sort } from './route';

export type SongRow = SongsQuery['songs']['nodes'][number];

/** Which songs to show, in which order. */
export type SongFilter = Pick<
  Route,
  'file' | 'genre' | 'search' | 'confident' | 'from' | 'to' | 'sort'
>;

const ORDERS: Record<Sort, SongsQueryVariables['orderBy']> = {
  title: 'TITLE',
  'most-confident': 'CONFIDENCE_DESC',
  'least-confident': 'CONFIDENCE',
};

/** The API's maximum number of songs per page. */
const MAX_PAGE = 1000;

export function songVariables(
  filter: SongFilter,
  page: { first: number; after: string | null; count: boolean },
): SongsQueryVariables {
  return {
    batchId: filter.file,
    genre: filter.genre,
    titleContains: filter.search.trim() || null,
    confident: filter.confident,
    minConfidence: filter.from / 100,
    maxConfidence: filter.to / 100,
    orderBy: ORDERS[filter.sort],
    ...page,
  };
}

/** Return the batch if a filter selects all its songs, otherwise null. */
export function wholeBatch({
  file,
  genre,
  search,
  confident,
  from,
  to,
}: SongFilter): string | null {
  const everyConfidence = confident === null && from === 0 && to === 100;
  return genre === null && search.trim() === '' && everyConfidence ? file : null;
}

/**
 * Fetch all songs of a filter, page by page.
 *
 * @param onProgress is called with the number of songs fetched so far.
 */
export async function allSongs(
  filter: SongFilter,
  onProgress: (count: number) => void,
  signal: AbortSignal,
): Promise<SongRow[]> {
  const songs: SongRow[] = [];
  let after: string | null = null;
  do {
    const page = { first: MAX_PAGE, after, count: false };
    const result: SongsQuery = await execute(SongsDocument, songVariables(filter, page), {
      signal,
    });
    songs.push(...result.songs.nodes);
    onProgress(songs.length);
    after = result.songs.pageInfo.hasNextPage ? result.songs.pageInfo.endCursor : null;
  } while (after);
  return songs;
}
