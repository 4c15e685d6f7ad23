/** Problems of a file, put together by what is wrong. */

import { count } from '../shared/format';
import type { ProblemFragment } from './operations.generated';

export interface ProblemGroup {
  column: string | null;
  /** What is wrong, with all of the group. */
  summary: string;
  lines: number[];
  /** Some of the values found, each once. */
  values: string[];
  problems: ProblemFragment[];
}

const VALUES = 3;
const RANGES = 6;

/** Kinds that a row can be left out for. */
const ROW_KINDS: Partial<Record<ProblemFragment['kind'], string>> = {
  NOT_A_NUMBER: 'not a number',
  NOT_AN_INTEGER: 'not a whole number',
  OUT_OF_RANGE: 'outside the allowed range',
  TEXT_TOO_LONG: 'text too long',
  RAGGED_ROW: 'more or fewer values than there are columns',
};

export function groupProblems(problems: readonly ProblemFragment[]): ProblemGroup[] {
  const groups = new Map<string, ProblemFragment[]>();
  for (const problem of problems) {
    const { kind, column, message } = problem;
    const key = ROW_KINDS[kind] ? `${kind} ${column}` : message;
    groups.set(key, [...(groups.get(key) ?? []), problem]);
  }
  return [...groups.values()].flatMap((all) => {
    const [first] = all;
    if (!first) return [];
    const kind = ROW_KINDS[first.kind];
    return {
      column: first.column,
      summary: kind && all.length > 1 ? kind : withoutPlace(first),
      lines: all.flatMap(({ line }) => (line === null ? [] : [line])),
      values: [...new Set(all.flatMap(({ value }) => value ?? []))].slice(0, VALUES),
      problems: all,
    };
  });
}

/** The line, the column and the value have columns of their own. */
const withoutPlace = ({ message, value }: ProblemFragment) => {
  const summary = message.replace(/^Line [\d,]+(?:, column [^:]+)?: /, '');
  return value === null ? summary : summary.replace(/, found (['"]).*\1\.$/s, '');
};

/** How many rows would have to be left out; null if that is no remedy. */
export function rowsToSkip(problems: readonly ProblemFragment[]): number | null {
  if (problems.length === 0 || problems.some(({ kind }) => !ROW_KINDS[kind])) return null;
  return new Set(problems.map(({ line }) => line)).size;
}

/** Whether the file lacks columns, so that a template helps. */
export const lacksColumns = (problems: readonly ProblemFragment[]): boolean =>
  problems.some(({ kind }) =>
    ['MISSING_COLUMN', 'NOT_A_HEADER', 'EMPTY_FILE', 'SEPARATOR'].includes(kind),
  );

/** Whether only columns are missing that songs can be classified without; misspelt ones are not missing. */
export const mayLackColumns = (problems: readonly ProblemFragment[]): boolean =>
  problems.length > 0 &&
  problems.every(
    ({ kind, message }) =>
      kind === 'MISSING_COLUMN' && !/\b(?:trackID|title|[Rr]ename)\b/.test(message),
  );

/** "4, 7–9 and 12 more". */
export function lineRanges(lines: readonly number[]): string {
  const ranges: Array<[first: number, last: number]> = [];
  for (const line of [...new Set(lines)].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && line === last[1] + 1) last[1] = line;
    else ranges.push([line, line]);
  }
  const told = ranges
    .slice(0, RANGES)
    .map(([first, last]) => (first === last ? count(first) : `${count(first)}–${count(last)}`));
  const rest = ranges.slice(RANGES).reduce((sum, [first, last]) => sum + last - first + 1, 0);
  return told.join(', ') + (rest > 0 ? ` and ${count(rest)} more` : '');
}
