/** Which songs are looked at, and their pages. */

import { execute } from './api';
import { SongsDocument, type SongsQuery, type SongsQueryVariables } from './operations.generated';

export type SongRow = SongsQuery['songs']['nodes'][number];

/** The conditions that a song must fit; null means any. */
export interface SongFilter {
  batchId: string | null;
  genre: string | null;
  titleContains: string;
  confident: boolean | null;
}

/** The most songs that the API gives at once. */
const LARGEST_PAGE = 1000;

export function songVariables(
  filter: SongFilter,
  page: { first: number; after: string | null; count: boolean },
): SongsQueryVariables {
  return { ...filter, titleContains: filter.titleContains.trim() || null, ...page };
}

/** The batch that a filter shows all songs of, if it is one. */
export function wholeBatch({
  batchId,
  genre,
  titleContains,
  confident,
}: SongFilter): string | null {
  return genre === null && titleContains.trim() === '' && confident === null ? batchId : null;
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
