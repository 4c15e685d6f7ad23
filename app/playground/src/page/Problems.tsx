import { count, counted } from '../shared/format';
import type { ProblemFragment } from './operations.generated';
import { groupProblems, lineRanges } from './problemGroups';

interface Props {
  problems: readonly ProblemFragment[];
  problemCount: number;
}

/** Keep a range such as `vect_1 … vect_148` on one line. */
const unbroken = (text: string) => text.replaceAll(' … ', '\u00a0…\u00a0');

/** The problems of a file, grouped by kind. */
export function Problems({ problems, problemCount }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling box must be reachable by keyboard
    <figure className="scroll" tabIndex={0} aria-label="Problems in the file">
      <table className="problems">
        <caption>
          {problems.length < problemCount
            ? `The first ${count(problems.length)} of ${count(problemCount)} problems`
            : counted(problemCount, 'problem')}
        </caption>
        <thead>
          <tr>
            <th scope="col">Column</th>
            <th scope="col">Problem</th>
            <th scope="col">Found</th>
            <th scope="col">Lines</th>
          </tr>
        </thead>
        <tbody>
          {groupProblems(problems).map(({ column, summary, values, lines }) => (
            <tr key={`${column} ${summary}`}>
              <td className={column === null ? 'none' : ''}>
                {column === null ? '–' : <code>{column}</code>}
              </td>
              <td>{unbroken(summary)}</td>
              <td className={values.length === 0 ? 'none' : ''}>
                {values.length === 0
                  ? '–'
                  : values.map((value) => <code key={value}>{value || '(empty)'}</code>)}
              </td>
              <td className={lines.length === 0 ? 'none' : lines.length === 1 ? 'one' : ''}>
                {lines.length === 0 ? '–' : lineRanges(lines)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}
