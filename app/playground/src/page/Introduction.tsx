import { count, percentRange } from '../shared/format';
import type { OverviewQuery } from './operations.generated';

/** The steps, for first-time users. */
export function Steps() {
  return (
    <ol className="steps">
      <li>
        <strong>Drop a file</strong> One row for each song: its sound in numbers and the words of
        its lyrics.
      </li>
      <li>
        <strong>See the genres</strong> Each song gets its most likely genre, with the model’s
        confidence.
      </li>
      <li>
        <strong>Look closer</strong> Open a genre, search its songs, see why, and download the
        results.
      </li>
    </ol>
  );
}

/** How reliable the genres are: the model's scores on artists it was not trained on. */
export function ModelNote({ model, version }: { model: OverviewQuery['model']; version: string }) {
  const { groupedAccuracy, largeGroupsAccuracy } = model;
  const accuracy = percentRange(groupedAccuracy, largeGroupsAccuracy ?? groupedAccuracy);
  return (
    <footer className="bottom">
      <p>
        Predictions can be wrong. The model was trained on {count(model.trainingSongs)} songs and
        picks the right one of {model.genres.length} genres for {accuracy} of songs by artists not
        in its training data.
      </p>
      <p className="quiet">
        Model {model.version} · genregraph {version}
      </p>
    </footer>
  );
}
