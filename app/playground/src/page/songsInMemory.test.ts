import { expect, it } from 'vitest';
import type { SongRow } from './songs';
import { histogram, matching, sorted, withinRange } from './songsInMemory';

const song = (title: string, genre: string, confidence: number): SongRow => ({
  trackId: title,
  title,
  confidence,
  confident: confidence >= 0.5,
  modelVersion: '1',
  classifiedAt: '2026-11-23T07:00:00Z',
  genre: { name: genre },
});

const songs = [song('Àlpha', 'pop', 0.9), song('Beta', 'metal', 0.5), song('Gamma', 'pop', 1)];
const titles = (rows: readonly SongRow[]) => rows.map(({ title }) => title);
const ANY = { genre: null, search: '', confident: null };

it('filters by genre, title and confidence', () => {
  expect(titles(matching(songs, ANY))).toEqual(['Àlpha', 'Beta', 'Gamma']);
  expect(titles(matching(songs, { ...ANY, genre: 'pop', search: ' àL' }))).toEqual(['Àlpha']);
  expect(titles(matching(songs, { ...ANY, confident: false }))).toEqual([]);
});

it('selects a range of confidence, including its upper end only at 100%', () => {
  expect(titles(withinRange(songs, { from: 50, to: 90 }))).toEqual(['Beta']);
  expect(titles(withinRange(songs, { from: 90, to: 100 }))).toEqual(['Àlpha', 'Gamma']);
});

it('sorts by confidence', () => {
  expect(titles(sorted(songs, 'title'))).toEqual(['Àlpha', 'Beta', 'Gamma']);
  expect(titles(sorted(songs, 'most-confident'))).toEqual(['Gamma', 'Àlpha', 'Beta']);
  expect(titles(sorted(songs, 'least-confident'))).toEqual(['Beta', 'Àlpha', 'Gamma']);
});

it('counts songs in 20 bins of confidence', () => {
  const bins = histogram(songs);
  expect([bins.length, bins[10], bins[18], bins[19]]).toEqual([20, 1, 1, 1]);
});
