import { count, percent } from '../shared/format';
import type { BatchFragment } from './operations.generated';
import { Problems } from './Problems';

/** What became of the rows of a file. */
export function BatchSummary({ batch }: { batch: BatchFragment }) {
  const facts: Array<[label: string, value: number]> = [
    ['rows in the file', batch.rowsUploaded],
    ['songs classified', batch.rowsClassified],
    [`of them under ${percent(batch.minConfidence)} confidence`, batch.rowsUncertain],
    ['left out, values missing', batch.rowsWithMissingValues],
    ['left out, values wrong', batch.rowsInvalid],
    ['left out, repeated', batch.rowsDuplicated],
  ];
  return (
    <>
      <dl className="facts">
        {facts
          .filter(([, value], index) => index < 2 || value > 0)
          .map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{count(value)}</dd>
            </div>
          ))}
      </dl>
      {batch.error && <p className="notice bad">{batch.error}</p>}
      {batch.problemCount > 0 && (
        <details>
          <summary>What was wrong in the rows left out</summary>
          <Problems problems={batch.problems} problemCount={batch.problemCount} />
        </details>
      )}
    </>
  );
}
