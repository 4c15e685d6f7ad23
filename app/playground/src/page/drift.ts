/** Whether the songs of a file are unlike those that the model was trained on, in words. */

import { count, counted } from '../shared/format';
import type { BatchFragment } from './operations.generated';

type Group = NonNullable<BatchFragment['drift']>[number]['group'];

/** A share of unusual songs that is worth a word: three times what is usual of the group. */
const NOTEWORTHY: Record<Group, number> = { METADATA: 0.1, AUDIO: 0.15, LYRICS: 0.015 };

const NAMES: Record<Group, string> = {
  METADATA: 'metadata (such as loudness, tempo or key)',
  AUDIO: 'audio features',
  LYRICS: 'lyrics',
};

/** Fewer unusual songs may be chance, unless the file has no more. */
const FEWEST = 3;

export function driftNotes(batch: Pick<BatchFragment, 'drift' | 'rowsClassified'>): string[] {
  const { rowsClassified } = batch;
  return (batch.drift ?? [])
    .filter(
      ({ group, share, songsOutside }) =>
        share > NOTEWORTHY[group] && songsOutside >= Math.min(FEWEST, rowsClassified),
    )
    .map(
      ({ group, songsOutside }) =>
        `${count(songsOutside)} of ${counted(rowsClassified, 'song')} ` +
        `${songsOutside === 1 ? 'has' : 'have'} ${NAMES[group]} unlike those the model was trained on.`,
    );
}
