import { expect, it, vi } from 'vitest';
import { SHOWN_MS, say, toasts } from './toasts';

it('removes toasts without an action after a while, and keeps the others', () => {
  vi.useFakeTimers();
  say('Deleted songs.csv.');
  say('songs.csv failed. Nothing was stored.', { bad: true });
  say('songs.csv: 2 songs classified.', { action: { label: 'Show songs', run: () => {} } });
  const texts = () => toasts.get().map(({ text }) => text.split(/[.:] /)[0]);
  vi.advanceTimersByTime(SHOWN_MS - 1);
  expect(texts()).toEqual(['Deleted songs.csv.', 'songs.csv failed', 'songs.csv']);
  vi.advanceTimersByTime(1);
  expect(texts()).toEqual(['songs.csv failed', 'songs.csv']);
});
