import { expect, it } from 'vitest';
import { percentRange } from './format';

it('shows a range of shares, lowest first', () => {
  expect(percentRange(0.637778, 0.533333)).toBe('53–64%');
});

it('shows one share if both are the same after rounding', () => {
  expect(percentRange(0.637778, 0.642)).toBe('64%');
});
