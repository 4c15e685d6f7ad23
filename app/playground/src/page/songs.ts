/** Which songs are looked at, and their pages. */

import { execute } from './api';
import { SongsDocument, type SongsQuery, type SongsQueryVariables } from './operations.generated';
import type { Route, Sort } from './route';

export type SongRow = SongsQuery['songs']['nodes'][number];

/** Which songs, and in which order. */
export type SongFilter = Pick<
  Route,
  'file' | 'genre' | 'search' | 'confident' | 'from' | 'to' | 'sort'
>;

const ORDERS: Record<Sort, SongsQueryVariables['orderBy']> = {
  title: 'TITLE',
  'most-confident': 'CONFIDENCE_DESC',
  'least-confident': 'CONFIDENCE',
};

/** The most songs that the API gives at once. */
const LARGEST_PAGE = 1000;

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

/** The batch that a filter shows all songs of, if it is one. */
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
 * All songs of a filter, page after page.
 *
 * @param onProgress hears how many are there so far.
 */
export async function allSongs(
  filter: SongFilter,
  onProgress: (count: number) => void,
  signal: AbortSignal,
): Promise<SongRow[]> {
  const songs: SongRow[] = [];
  let after: string | null = null;
  do {
    const page = { first: LARGEST_PAGE, after, count: false };
    const result: SongsQuery = await execute(SongsDocument, songVariables(filter, page), {
      signal,
    });
    songs.push(...result.songs.nodes);
    onProgress(songs.length);
    after = result.songs.pageInfo.hasNextPage ? result.songs.pageInfo.endCursor : null;
  } while (after);
  return songs;
}
