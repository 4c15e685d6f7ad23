/** What a batch answered, as it was then, whoever classified its songs again later. */

import { fetchFile } from '../shared/transport';
import { fileUrl } from './download';
import type { SongRow } from './songs';

/** Whether the results of a batch can still be had. */
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
 * All songs of a batch by title, from its file of results.
 *
 * @throws Failure when there is no such file; an AbortError when the signal says stop.
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
      // A track id may be larger than the numbers of JavaScript.
      const song: Line = JSON.parse(line.replace(/^\{"trackID": ?(\d+)/, '{"trackID":"$1"'));
      const { trackID: trackId, genre, ...rest } = song;
      return { ...rest, trackId, genre: { name: genre } };
    });
  return songs.sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0));
}
