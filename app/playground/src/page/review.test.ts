import { describe, expect, it } from 'vitest';
import { choiceOfKey, type ReviewSong, reviewOrder } from './review';

const song = (trackId: string, confidence: number, batch = 'a'): ReviewSong => ({
  trackId,
  title: trackId,
  confidence,
  predictedGenre: { name: 'pop' },
  probabilities: [],
  batch: { id: batch, fileName: null },
});

const order = (...byGenre: ReviewSong[][]) => reviewOrder(byGenre).map(({ trackId }) => trackId);

describe('the order of the queue', () => {
  it('has a song of each genre per round, least confident first', () => {
    const pop = [song('p1', 0.2), song('p2', 0.21), song('p3', 0.22)];
    const folk = [song('f1', 0.5), song('f2', 0.6)];
    const punk = [song('k1', 0.1)];
    expect(order(pop, folk, punk)).toEqual(['k1', 'p1', 'f1', 'p2', 'f2', 'p3']);
  });

  it('alternates between batches among the five least confident songs of a genre', () => {
    const pop = [
      ...['1', '2', '3', '4'].map((id) => song(id, 0.2, 'a')),
      song('5', 0.3, 'b'),
      song('6', 0.4, 'b'),
    ];
    expect(order(pop)).toEqual(['1', '5', '2', '6', '3', '4']);
  });

  it('is empty without songs', () => {
    expect(order()).toEqual([]);
    expect(order([], [])).toEqual([]);
  });
});

describe('the keys', () => {
  const genres = ['pop', 'folk', 'punk'];
  it.each([
    [' ', { kind: 'verify', genre: 'pop' }],
    ['Enter', { kind: 'verify', genre: 'pop' }],
    ['1', { kind: 'verify', genre: 'pop' }],
    ['3', { kind: 'verify', genre: 'punk' }],
    ['4', null],
    ['s', { kind: 'skip' }],
    ['ArrowRight', { kind: 'skip' }],
    ['Z', { kind: 'undo' }],
    ['Backspace', { kind: 'undo' }],
    ['o', { kind: 'other' }],
    ['Tab', null],
    ['', null],
  ])('%j', (key, choice) => {
    expect(choiceOfKey(key, genres)).toEqual(choice);
  });
});
