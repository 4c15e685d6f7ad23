/** The problems of a file, grouped by kind. */

import { count } from '../shared/format';
import type { ProblemFragment } from './operations.generated';

export interface ProblemGroup {
  column: string | null;
  /** What is wrong with every row of the group. */
  summary: string;
  lines: number[];
  /** Some of the distinct values found. */
  values: string[];
  problems: ProblemFragment[];
}

const VALUES = 3;
const RANGES = 6;

/** Kinds of problems that can be avoided by skipping the row. */
const ROW_KINDS: Partial<Record<ProblemFragment['kind'], string>> = {
  NOT_A_NUMBER: 'not a number',
  NOT_AN_INTEGER: 'not a whole number',
  OUT_OF_RANGE: 'outside the allowed range',
  TEXT_TOO_LONG: 'text too long',
  RAGGED_ROW: 'more or fewer values than there are columns',
};

const HEADER_KINDS: readonly ProblemFragment['kind'][] = ['MISSING_COLUMN', 'DUPLICATE_COLUMN'];

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
    const summaries = new Set(all.map(withoutPlace));
    return {
      // The message of a problem with the header names its columns.
      column: HEADER_KINDS.includes(first.kind) ? null : first.column,
      // What is expected, if it is the same of all rows.
      summary: capitalized(
        summaries.size > 1 ? (ROW_KINDS[first.kind] ?? '') : withoutPlace(first),
      ),
      lines: all.flatMap(({ line }) => (line === null ? [] : [line])),
      values: [...new Set(all.flatMap(({ value }) => value ?? []))].slice(0, VALUES),
      problems: all,
    };
  });
}

/** Remove the line, column and value, which the table shows in separate columns. */
const withoutPlace = ({ message, value }: ProblemFragment) => {
  const summary = message.replace(/^Line [\d,]+(?:, column [^:]+)?: /, '');
  return value === null ? summary : summary.replace(/, found (['"]).*\1\.$/s, '');
};

const capitalized = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Return how many rows would have to be skipped; null if that would not help. */
export function rowsToSkip(problems: readonly ProblemFragment[]): number | null {
  if (problems.length === 0 || problems.some(({ kind }) => !ROW_KINDS[kind])) return null;
  return new Set(problems.map(({ line }) => line)).size;
}

/** Whether the file lacks columns, so that a template would help. */
export const lacksColumns = (problems: readonly ProblemFragment[]): boolean =>
  problems.some(({ kind }) =>
    ['MISSING_COLUMN', 'NOT_A_HEADER', 'EMPTY_FILE', 'SEPARATOR'].includes(kind),
  );

/** Whether all problems are missing columns that are optional with CLASSIFY; misspelt ones are not missing. */
export const mayLackColumns = (problems: readonly ProblemFragment[]): boolean =>
  problems.length > 0 &&
  problems.every(
    ({ kind, message }) =>
      kind === 'MISSING_COLUMN' && !/\b(?:trackID|title|[Rr]ename)\b/.test(message),
  );

/** Format line numbers like "4, 7–9 and 12 more". */
export function lineRanges(lines: readonly number[]): string {
  const ranges: Array<[first: number, last: number]> = [];
  for (const line of [...new Set(lines)].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && line === last[1] + 1) last[1] = line;
    else ranges.push([line, line]);
  }
  const shown = ranges
    .slice(0, RANGES)
    .map(([first, last]) => (first === last ? count(first) : `${count(first)}–${count(last)}`));
  const rest = ranges.slice(RANGES).reduce((sum, [first, last]) => sum + last - first + 1, 0);
  return shown.join(', ') + (rest > 0 ? ` and ${count(rest)} more` : '');
}
