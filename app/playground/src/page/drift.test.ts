import { expect, it } from 'vitest';
import { driftNotes } from './drift';

it('notes only unusual groups', () => {
  expect(
    driftNotes({
      rowsClassified: 428,
      drift: [
        { group: 'METADATA', songsOutside: 14, share: 0.033 },
        { group: 'AUDIO', songsOutside: 131, share: 0.306 },
      ],
    }),
  ).toEqual(['131 of 428 songs have audio features unlike those the model was trained on.']);
  expect(driftNotes({ rowsClassified: 428, drift: null })).toEqual([]);
});

it.each([
  [59, 1, []],
  [59, 3, ['3 of 59 songs have lyrics unlike those the model was trained on.']],
  [1, 1, ['1 of 1 song has lyrics unlike those the model was trained on.']],
])(
  'takes a few unusual songs for chance, of %d songs %d',
  (rowsClassified, songsOutside, notes) => {
    const share = songsOutside / rowsClassified;
    const drift = [{ group: 'LYRICS' as const, songsOutside, share }];
    expect(driftNotes({ rowsClassified, drift })).toEqual(notes);
  },
);
