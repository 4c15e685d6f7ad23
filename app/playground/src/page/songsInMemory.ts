/** Filters and sorts songs in memory. */

import type { Route, Sort } from './route';
import type { SongRow } from './songs';

const BINS = 20;

export function matching(
  songs: readonly SongRow[],
  { genre, search, confident }: Pick<Route, 'genre' | 'search' | 'confident'>,
): SongRow[] {
  const wanted = folded(search.trim());
  return songs.filter(
    (song) =>
      (genre === null || song.genre.name === genre) &&
      (wanted === '' || folded(song.title).includes(wanted)) &&
      (confident === null || song.confident === confident),
  );
}

export function withinRange(
  songs: readonly SongRow[],
  { from, to }: Pick<Route, 'from' | 'to'>,
): SongRow[] {
  return songs.filter(
    ({ confidence }) => confidence * 100 >= from && (to === 100 || confidence * 100 < to),
  );
}

/** Sort songs; they arrive sorted by title. */
export function sorted(songs: readonly SongRow[], sort: Sort): SongRow[] {
  if (sort === 'title') return [...songs];
  const sign = sort === 'most-confident' ? -1 : 1;
  return songs.toSorted((a, b) => sign * (a.confidence - b.confidence));
}

/** Count songs by confidence in 20 equal bins from 0 to 1. */
export function histogram(songs: readonly SongRow[]): number[] {
  const bins = new Array<number>(BINS).fill(0);
  for (const { confidence } of songs) {
    const bin = Math.min(BINS - 1, Math.floor(confidence * BINS));
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  return bins;
}

const folded = (text: string) => text.normalize('NFC').toLowerCase();
