/** The original results of a batch, even if its songs were reclassified later. */

import { fetchFile } from '../shared/transport';
import { fileUrl } from './download';
import type { SongRow } from './songs';

/** Whether the results of a batch are still available. */
export const resultsKept = ({ resultsUntil }: { resultsUntil: string | null }): boolean =>
  resultsUntil !== null && Date.parse(resultsUntil) > Date.now();

interface Line {
  trackID: string;
  title: string;
  genre: string;
  confidence: number;
  confident: boolean;
  modelVersion: string;
  classifiedAt: string;
}

/**
 * Fetch the results of a batch, sorted by title.
 *
 * @throws Failure if they do not exist; an AbortError if the signal is aborted.
 */
export async function batchAnswers(batchId: string, signal: AbortSignal): Promise<SongRow[]> {
  const blob = await fetchFile(fileUrl(batchId, 'jsonl'), signal);
  return parseAnswers(await blob.text());
}

export function parseAnswers(text: string): SongRow[] {
  const songs = text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      // A track ID may exceed JavaScript's safe integers.
      const song: Line = JSON.parse(line.replace(/^\{"trackID": ?(\d+)/, '{"trackID":"$1"'));
      const { trackID: trackId, genre, ...rest } = song;
      return { ...rest, trackId, genre: { name: genre } };
    });
  return songs.sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0));
}
