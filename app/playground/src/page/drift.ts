/** Whether the songs of a file are unlike those that the model was trained on, in words. */

import { count } from '../shared/format';
import type { BatchFragment } from './operations.generated';

type Group = NonNullable<BatchFragment['drift']>[number]['group'];

/** A share of unusual songs that is worth a word: three times what is usual of the group. */
const NOTEWORTHY: Record<Group, number> = { METADATA: 0.1, AUDIO: 0.15, LYRICS: 0.015 };

const NAMES: Record<Group, string> = {
  METADATA: 'metadata (loudness, tempo, key and so on)',
  AUDIO: 'audio features',
  LYRICS: 'lyrics',
};

export function driftNotes(batch: Pick<BatchFragment, 'drift' | 'rowsClassified'>): string[] {
  return (batch.drift ?? [])
    .filter(({ group, share }) => share > NOTEWORTHY[group])
    .map(
      ({ group, songsOutside }) =>
        `${count(songsOutside)} of ${count(batch.rowsClassified)} songs have ${NAMES[group]} ` +
        'unlike those the model was trained on, so their genres are less reliable. ' +
        'Check that the values were made in the same way and units.',
    );
}
