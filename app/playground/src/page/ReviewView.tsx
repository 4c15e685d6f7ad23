import { useEffect, useRef, useState } from 'react';
import { count, counted, percent, percentRange } from '../shared/format';
import { LearningNote } from './LearningNote';
import type { AccuracyFragment, OverviewQuery } from './operations.generated';
import { genreClass } from './palette';
import { choiceOfKey, MAX_KEYS, type ReviewSong } from './review';
import { Skeleton } from './SongList';
import { type Review, useReview } from './useReview';

interface Props {
  overview: OverviewQuery;
  clientKey: string;
  /** Called after songs were verified, which may change counts by genre. */
  onVerified: () => void;
}

/** Review of songs one by one, by keyboard or touch. */
export function ReviewView({ overview, clientKey, onVerified }: Props) {
  const genres = overview.genres.map(({ name }) => name);
  const [only, setOnly] = useState('');
  const review = useReview(only ? [only] : genres, clientKey);
  const { song } = review;
  const choices = song ? choicesOf(song) : [];
  const heading = useRef<HTMLHeadingElement>(null);
  const other = useRef<HTMLInputElement>(null);

  // Move the focus away from buttons, which would handle Enter themselves.
  // biome-ignore lint/correctness/useExhaustiveDependencies: for each new song
  useEffect(() => heading.current?.focus({ preventScroll: true }), [song?.trackId]);

  const changed = useRef({ any: false, onVerified });
  changed.current = { any: review.verified > 0, onVerified };
  useEffect(
    () => () => {
      if (changed.current.any) changed.current.onVerified();
    },
    [],
  );

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || takesKeys(event))
        return;
      const choice = choiceOfKey(event.key, choices);
      if (!choice) return;
      event.preventDefault();
      if (choice.kind === 'verify') review.verify(choice.genre);
      if (choice.kind === 'skip') review.skip();
      if (choice.kind === 'undo') review.undo?.();
      if (choice.kind === 'other') other.current?.focus();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  });

  return (
    <section className="card review" aria-labelledby="review-title">
      <header>
        <h2 className="card-title" id="review-title">
          Review
        </h2>
        <p className="quiet number" role="status">
          {count(review.verified)} verified now
          {review.accuracy && `, ${count(review.accuracy.songsVerified)} in total`}
        </p>
      </header>
      {genres.length > 1 && (
        <label className="review-only">
          Songs of{' '}
          <select
            value={only}
            onChange={(event) => {
              setOnly(event.target.value);
              heading.current?.focus({ preventScroll: true }); // the field would handle the keys
            }}
          >
            <option value="">all genres</option>
            {genres.map((genre) => (
              <option key={genre}>{genre}</option>
            ))}
          </select>
        </label>
      )}
      {review.failure && (
        <p className="notice bad" role="alert">
          {review.failure.message}
        </p>
      )}
      {song && (
        <>
          <div className="review-song">
            <h3 tabIndex={-1} ref={heading}>
              {song.title || '(no title)'}
            </h3>
            <p className="quiet">
              Track {song.trackId}
              {song.batch?.fileName && ` · ${song.batch.fileName}`}
            </p>
          </div>
          <Choices song={song} choices={choices} order={overview.model.genres} review={review} />
          <OtherGenre known={genres} input={other} onChosen={review.verify} />
        </>
      )}
      {!song && review.loading && <Skeleton />}
      {!song && !review.loading && !review.failure && (
        <p className="empty" tabIndex={-1} ref={heading}>
          {genres.length > 0
            ? 'Nothing left to review.'
            : 'Nothing to review yet. Classify a file first.'}
        </p>
      )}
      {(song || review.undo) && (
        <div className="review-steps">
          <button
            type="button"
            className="secondary"
            disabled={!review.undo}
            onClick={() => review.undo?.()}
          >
            Undo <kbd>Z</kbd>
          </button>
          <button type="button" className="secondary" disabled={!song} onClick={review.skip}>
            Skip <kbd>S</kbd>
          </button>
        </div>
      )}
      {review.accuracy && <Accuracy accuracy={review.accuracy} />}
      <LearningNote verified={review.accuracy?.songsVerified ?? null} />
    </section>
  );
}

/** The genres to choose from, most likely first. */
function choicesOf(song: ReviewSong): string[] {
  const others = [...song.probabilities]
    .sort((a, b) => b.probability - a.probability)
    .map(({ genre }) => genre)
    .filter((genre) => genre !== song.predictedGenre.name);
  return [song.predictedGenre.name, ...others].slice(0, MAX_KEYS);
}

/** Whether the focused element handles the key itself. */
function takesKeys({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof Element)) return false;
  if (target.closest('input, select, textarea, dialog')) return true;
  return (key === 'Enter' || key === ' ') && target.closest('a, button, summary') !== null;
}

interface ChoicesProps {
  song: ReviewSong;
  choices: readonly string[];
  order: readonly string[];
  review: Review;
}

function Choices({ song, choices, order, review }: ChoicesProps) {
  const probability = (genre: string) =>
    song.probabilities.find((one) => one.genre === genre)?.probability ?? song.confidence;
  return (
    <fieldset className="review-choices">
      <legend>
        Is it <strong>{song.predictedGenre.name}</strong>?
      </legend>
      {choices.map((genre, place) => (
        <button
          type="button"
          key={genre}
          className={`${genreClass(genre, order)} ${place === 0 ? 'accept' : ''}`}
          onClick={() => review.verify(genre)}
        >
          <kbd>{place === 0 ? 'Space' : place + 1}</kbd>
          <span className="dot" aria-hidden="true" />
          <span className="review-genre">
            {place === 0 && 'Yes, '}
            {genre}
          </span>
          <span className="number quiet">{percent(probability(genre))}</span>
        </button>
      ))}
    </fieldset>
  );
}

interface OtherProps {
  known: readonly string[];
  input: React.RefObject<HTMLInputElement | null>;
  onChosen: (genre: string) => void;
}

/** A field for a genre without a button, which may be new to the model. */
function OtherGenre({ known, input, onChosen }: OtherProps) {
  const [genre, setGenre] = useState('');
  return (
    <form
      className="review-other"
      onSubmit={(event) => {
        event.preventDefault();
        if (genre.trim()) onChosen(genre.trim());
        setGenre('');
      }}
    >
      <label>
        Another genre <kbd>O</kbd>
        <input
          ref={input}
          list="known-genres"
          maxLength={100}
          autoComplete="off"
          value={genre}
          onChange={(event) => setGenre(event.target.value)}
        />
      </label>
      <datalist id="known-genres">
        {known.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <button type="submit" className="secondary" disabled={!genre.trim()}>
        Verify
      </button>
    </form>
  );
}

/** The model's accuracy on verified songs. */
function Accuracy({ accuracy }: { accuracy: NonNullable<Review['accuracy']> }) {
  const { overall, byGenre, byConfidence } = accuracy;
  if (overall.share === null) return null;
  const ranges = byConfidence.map(({ minConfidence, maxConfidence, accuracy: part }) => ({
    name: percentRange(minConfidence, maxConfidence),
    part,
  }));
  return (
    <div className="review-accuracy">
      <p>
        The model is right for <strong>{percent(overall.share)}</strong> of{' '}
        {counted(overall.songs, 'verified song')} (95% interval{' '}
        {percentRange(overall.lower, overall.upper)}). The queue has the least confident songs;
        expect a higher accuracy on the rest.
      </p>
      <details>
        <summary>By confidence and by genre</summary>
        <AccuracyTable caption="Confidence" rows={ranges} />
        <AccuracyTable
          caption="Genre"
          rows={byGenre.map(({ genre, accuracy: part }) => ({ name: genre, part }))}
        />
      </details>
    </div>
  );
}

interface TableProps {
  caption: string;
  rows: readonly { name: string; part: AccuracyFragment }[];
}

function AccuracyTable({ caption, rows }: TableProps) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{caption}</th>
          <th scope="col">Songs</th>
          <th scope="col">Right</th>
          <th scope="col">95% interval</th>
        </tr>
      </thead>
      <tbody>
        {rows
          .filter(({ part }) => part.songs > 0)
          .map(({ name, part }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td className="number">{count(part.songs)}</td>
              <td className="number">{percent(part.share ?? 0)}</td>
              <td className="number">{percentRange(part.lower, part.upper)}</td>
            </tr>
          ))}
      </tbody>
    </table>
  );
}
