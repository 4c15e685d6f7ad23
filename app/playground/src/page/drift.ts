/** Notes on songs that are unlike those that the model was trained on. */

import { count, counted } from '../shared/format';
import type { BatchFragment } from './operations.generated';

type Group = NonNullable<BatchFragment['drift']>[number]['group'];

/** Share of unusual songs above which a group gets a note: three times the usual share. */
const NOTEWORTHY: Record<Group, number> = { METADATA: 0.1, AUDIO: 0.15, LYRICS: 0.015 };

const NAMES: Record<Group, string> = {
  METADATA: 'metadata (such as loudness, tempo or key)',
  AUDIO: 'audio features',
  LYRICS: 'lyrics',
};

/** Minimum number of unusual songs, unless the file has fewer: less may be chance. */
const MIN_SONGS = 3;

export function driftNotes(batch: Pick<BatchFragment, 'drift' | 'rowsClassified'>): string[] {
  const { rowsClassified } = batch;
  return (batch.drift ?? [])
    .filter(
      ({ group, share, songsOutside }) =>
        share > NOTEWORTHY[group] && songsOutside >= Math.min(MIN_SONGS, rowsClassified),
    )
    .map(
      ({ group, songsOutside }) =>
        `${count(songsOutside)} of ${counted(rowsClassified, 'song')} ` +
        `${songsOutside === 1 ? 'has' : 'have'} ${NAMES[group]} unlike those the model was trained on.`,
    );
}
