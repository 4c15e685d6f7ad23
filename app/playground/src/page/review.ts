/** The review queue: which songs to verify next. */

import type { ReviewSongsQuery } from './operations.generated';

export type ReviewSong = ReviewSongsQuery['songs']['nodes'][number];

/** Number of a genre's least confident songs among which the order may balance batches. */
const CHOICE = 5;

/**
 * Order the queue: in each round, one song per genre, the least confident first. Among a genre's least
 * confident songs, prefer the one whose batch has come up least often.
 *
 * @param byGenre the songs of each genre, least confident first.
 */
export function reviewOrder(byGenre: readonly (readonly ReviewSong[])[]): ReviewSong[] {
  const left = byGenre.map((songs) => [...songs]);
  const taken = new Map<string | undefined, number>();
  const order: ReviewSong[] = [];
  while (left.some((songs) => songs.length > 0)) {
    const round: ReviewSong[] = [];
    for (const songs of left) {
      const often = ({ batch }: ReviewSong) => taken.get(batch?.id) ?? 0;
      const [next] = songs.slice(0, CHOICE).sort((a, b) => often(a) - often(b)); // a stable sort
      if (!next) continue;
      songs.splice(songs.indexOf(next), 1);
      taken.set(next.batch?.id, often(next) + 1);
      round.push(next);
    }
    order.push(...round.sort((a, b) => a.confidence - b.confidence));
  }
  return order;
}

export type Choice =
  | { kind: 'verify'; genre: string }
  | { kind: 'skip' }
  | { kind: 'undo' }
  | { kind: 'other' };

/** Maximum number of genres with a key and a button; `1` is the predicted genre. */
export const MAX_KEYS = 9;

/**
 * Return the action of a key: Space, Enter or 1 accepts, 2 to 9 choose another genre, S or → skips,
 * Z or Backspace undoes, O opens the field for another genre.
 */
export function choiceOfKey(key: string, genres: readonly string[]): Choice | null {
  const place = key === ' ' || key === 'Enter' ? 0 : '123456789'.indexOf(key);
  const genre = key && place >= 0 ? genres[place] : undefined;
  if (genre !== undefined) return { kind: 'verify', genre };
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case 's':
    case 'ArrowRight':
      return { kind: 'skip' };
    case 'z':
    case 'Backspace':
      return { kind: 'undo' };
    case 'o':
      return { kind: 'other' };
    default:
      return null;
  }
}
