import { expect, it } from 'vitest';
import { parseAnswers } from './answers';

const line = (trackID: string, title: string) =>
  `{"trackID": ${trackID}, "title": "${title}", "genre": "pop", "confidence": 0.5, ` +
  '"confident": true, "probability_pop": 0.5, "modelVersion": "1", "classifiedAt": "2026-11-23T07:00:00"}\n';

it('sorts songs by title, and keeps all digits of track IDs', () => {
  const songs = parseAnswers(line('9223372036854775807', 'b') + line('2', 'a'));
  expect(songs.map(({ trackId, title, genre }) => [trackId, title, genre.name])).toEqual([
    ['2', 'a', 'pop'],
    ['9223372036854775807', 'b', 'pop'],
  ]);
  expect(parseAnswers('')).toEqual([]);
});
