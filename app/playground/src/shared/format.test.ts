import { expect, it } from 'vitest';
import { percentRange, portion } from './format';

it('formats a range of shares, lowest first', () => {
  expect(percentRange(0.637778, 0.533333)).toBe('53–64%');
});

it('formats one share if both are equal after rounding', () => {
  expect(percentRange(0.637778, 0.642)).toBe('64%');
});

it('does not round small shares to zero', () => {
  expect([0, 0.0002, 0.006, 1].map(portion)).toEqual(['0%', '<1%', '1%', '100%']);
});
