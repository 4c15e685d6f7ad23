import { expect, it } from 'vitest';
import { driftNotes } from './drift';

it('speaks of what is unusual, and of nothing else', () => {
  expect(
    driftNotes({
      rowsClassified: 428,
      drift: [
        { group: 'METADATA', songsOutside: 14, share: 0.033 },
        { group: 'AUDIO', songsOutside: 131, share: 0.306 },
      ],
    }),
  ).toEqual([
    '131 of 428 songs have audio features unlike those the model was trained on, so their genres ' +
      'are less reliable. Check that the values were made in the same way and units.',
  ]);
  expect(driftNotes({ rowsClassified: 428, drift: null })).toEqual([]);
});
