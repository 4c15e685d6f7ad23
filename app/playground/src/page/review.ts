/** Which songs to verify next: those that teach the model most. */

import type { ReviewSongsQuery } from './operations.generated';

export type ReviewSong = ReviewSongsQuery['songs']['nodes'][number];

/** Songs of a genre among which one of a batch that came up less often may go first. */
const CHOICE = 5;

/**
 * The order of the queue: rounds in which each genre has one song, the least confident songs first.
 * Of a genre's least confident songs the one goes first whose batch came up least often.
 *
 * @param byGenre the songs of each genre, the least confident first.
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

/** The genres that have a key, and a button: the most likely first, `1` being the predicted one. */
export const MOST_KEYS = 9;

/**
 * What a key does, on either side of the keyboard: Space, Enter or 1 accept, 2 to 9 choose another
 * genre, S or → skip, Z or Backspace undo, O types another genre.
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
