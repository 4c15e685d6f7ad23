import { count } from '../shared/format';
import type { ProblemFragment } from './operations.generated';

interface Props {
  problems: readonly ProblemFragment[];
  problemCount: number;
}

/** What was wrong in a file, by line and column. */
export function Problems({ problems, problemCount }: Props) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section className="scroll" tabIndex={0} aria-label="What is wrong in the file">
      <table className="problems">
        <caption>
          {problems.length < problemCount
            ? `The first ${count(problems.length)} of ${count(problemCount)} problems`
            : `${count(problemCount)} ${problemCount === 1 ? 'problem' : 'problems'}`}
        </caption>
        <thead>
          <tr>
            <th scope="col">Line</th>
            <th scope="col">Column</th>
            <th scope="col">Found</th>
            <th scope="col">What is wrong</th>
          </tr>
        </thead>
        <tbody>
          {problems.map((problem, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the list never changes
            <tr key={index}>
              <td>{problem.line === null ? '–' : count(problem.line)}</td>
              <td>{problem.column === null ? '–' : <code>{problem.column}</code>}</td>
              <td>{problem.value === null ? '–' : <code>{problem.value}</code>}</td>
              <td>{problem.message}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
