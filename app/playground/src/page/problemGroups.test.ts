import { expect, it } from 'vitest';
import type { ProblemFragment } from './operations.generated';
import {
  groupProblems,
  lacksColumns,
  lineRanges,
  mayLackColumns,
  rowsToSkip,
} from './problemGroups';

const problem = (
  kind: ProblemFragment['kind'],
  line: number | null,
  column: string | null,
  value: string | null = null,
): ProblemFragment => ({
  kind,
  line,
  column,
  value,
  message: `Line ${line}, column ${column}: expected ${kind}`,
});

const tempo = [4, 5, 9].map((line) => problem('NOT_A_NUMBER', line, 'tempo', `x${line % 2}`));

it('groups rows by column and kind', () => {
  expect(groupProblems([...tempo, problem('OUT_OF_RANGE', 9, 'key', '12')])).toMatchObject([
    { column: 'tempo', summary: 'Expected NOT_A_NUMBER', lines: [4, 5, 9], values: ['x0', 'x1'] },
    { column: 'key', summary: 'Expected OUT_OF_RANGE', lines: [9], values: ['12'] },
  ]);
});

it('says what kind of problem it is where the rows differ', () => {
  const [first, second] = ['Line 7: 3 cells.', 'Line 8: 4 cells.'].map((message, place) => ({
    ...problem('RAGGED_ROW', 7 + place, null),
    message,
  }));
  expect(groupProblems([first, second] as ProblemFragment[])).toMatchObject([
    { summary: 'More or fewer values than there are columns', lines: [7, 8] },
  ]);
});

it('removes the line and the column, which have their own columns', () => {
  const message = 'Line 1: the header has no columns tempo and vect_1 … vect_148.';
  const column = 'tempo … vect_148';
  expect(groupProblems([{ ...problem('MISSING_COLUMN', 1, column), message }])).toMatchObject([
    { column: null, summary: 'The header has no columns tempo and vect_1 … vect_148.', lines: [1] },
  ]);
});

it('removes the value, which has its own column', () => {
  const message = `Line 9, column loudness: expected a number from -100 to 50 (dB), found '1e99'.`;
  expect(
    groupProblems([{ ...problem('OUT_OF_RANGE', 9, 'loudness', '1e99'), message }]),
  ).toMatchObject([{ summary: 'Expected a number from -100 to 50 (dB)', values: ['1e99'] }]);
});

it('counts the rows to skip, if that helps', () => {
  expect(rowsToSkip([...tempo, problem('OUT_OF_RANGE', 9, 'key')])).toBe(3);
  expect(rowsToSkip([...tempo, problem('MISSING_COLUMN', 1, 'key')])).toBeNull();
  expect(rowsToSkip([])).toBeNull();
  expect(lacksColumns(tempo)).toBe(false);
  expect(lacksColumns([problem('MISSING_COLUMN', 1, 'vect_1 … vect_148')])).toBe(true);
});

it.each([
  ['Line 1: the header has no columns vect_25 … vect_148.', true],
  ['Line 1: the header has no column tags.', true],
  ['Line 1: the header has no column title.', false],
  ['Line 1: the header has no columns trackID, tempo, key and mode.', false],
  ["Line 1: the header has no column tempo; it has 'Tempo': rename it.", false],
])('knows of %s whether songs can be classified without', (message, expected) => {
  const missing = { ...problem('MISSING_COLUMN', 1, null), message };
  expect(mayLackColumns([missing])).toBe(expected);
  expect(mayLackColumns([missing, ...tempo])).toBe(false);
});

it.each([
  [[4], '4'],
  [[9, 4, 5, 6, 4], '4–6, 9'],
  [[2, 4, 6, 8, 10, 12, 14, 15, 1234], '2, 4, 6, 8, 10, 12 and 3 more'],
])('writes lines %j as %s', (lines, text) => expect(lineRanges(lines)).toBe(text));
