import { count, percent } from '../shared/format';
import { driftNotes } from './drift';
import type { BatchFragment } from './operations.generated';
import { Problems } from './Problems';

/** Counts of a file's rows by outcome, and notes about them. */
export function BatchSummary({ batch }: { batch: BatchFragment }) {
  const unusual = driftNotes(batch);
  const facts: Array<[label: string, value: number]> = [
    ['rows in the file', batch.rowsUploaded],
    ['songs classified', batch.rowsClassified],
    [`uncertain: below ${percent(batch.minConfidence)}`, batch.rowsUncertain],
    ['classified with missing values', batch.rowsClassifiedWithMissingValues],
    ['skipped: missing values', batch.rowsWithMissingValues],
    ['skipped: invalid values', batch.rowsInvalid],
    ['skipped: duplicates', batch.rowsDuplicated],
    ['classified again later', batch.songsSuperseded],
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
      {unusual.length > 0 && (
        <div className="notice plain">
          {unusual.map((note) => (
            <p key={note}>{note}</p>
          ))}
          <p>
            Expect their genres to be less reliable. Check that the values were extracted in the
            same way and have the same units.
          </p>
        </div>
      )}
      {batch.error && <p className="notice bad">{batch.error}</p>}
      {batch.problemCount > 0 && (
        <details>
          <summary>Problems in the skipped rows</summary>
          <Problems problems={batch.problems} problemCount={batch.problemCount} />
        </details>
      )}
    </>
  );
}
