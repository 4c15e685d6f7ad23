import { count, counted, percent, portion } from '../shared/format';
import { genreClass } from './palette';

export interface GenreCount {
  name: string;
  songCount: number;
}

interface Props {
  genres: readonly GenreCount[];
  /** The genres of another file, as thinner bars; null without one. */
  others: readonly GenreCount[] | null;
  order: readonly string[];
  selected: string | null;
  onSelect: (genre: string | null) => void;
}

/** Songs by genre, most frequent first; each bar is a button that shows its songs. */
export function GenreBars({ genres, others, order, selected, onSelect }: Props) {
  const own = shares(genres);
  const other = shares(others ?? []);
  const sorted = [...new Set([...own.keys(), ...other.keys()])].sort(
    (a, b) => (own.get(b) ?? 0) - (own.get(a) ?? 0) || a.localeCompare(b),
  );
  const counts = new Map(genres.map(({ name, songCount }) => [name, songCount]));
  const total = sum(genres);
  const highest = Math.max(...own.values(), ...other.values());
  return (
    <fieldset className="genre-bars">
      <legend className="unseen">Show songs of</legend>
      <button type="button" aria-pressed={selected === null} onClick={() => onSelect(null)}>
        <span className="genre-name">All genres</span>
        <span className="bar-track" aria-hidden="true" />
        <span className="number">
          {count(total)}
          <span className="unseen">{total === 1 ? ' song' : ' songs'}</span>
        </span>
        <span className="number quiet">{others ? 'this / other' : percent(total > 0 ? 1 : 0)}</span>
      </button>
      {sorted.map((name) => {
        const songCount = counts.get(name) ?? 0;
        return (
          <button
            type="button"
            key={name}
            className={`${genreClass(name, order)} ${selected && selected !== name ? 'faded' : ''}`}
            aria-pressed={selected === name}
            title={tooltip(name, songCount, total, others ? (other.get(name) ?? 0) : null)}
            onClick={() => onSelect(name === selected ? null : name)}
          >
            <span className="genre-name">
              <span className="dot" aria-hidden="true" />
              {name}
            </span>
            <span className="bars" aria-hidden="true">
              <Bar length={(own.get(name) ?? 0) / highest} />
              {others && <Bar className="other" length={(other.get(name) ?? 0) / highest} />}
            </span>
            <span className="number">
              {count(songCount)}
              <span className="unseen">{songCount === 1 ? ' song' : ' songs'}</span>
            </span>
            <span className="number quiet">
              {portion(own.get(name) ?? 0)}
              {others && ` / ${portion(other.get(name) ?? 0)}`}
            </span>
          </button>
        );
      })}
    </fieldset>
  );
}

/** A bar with a length from 0 to 1. */
function Bar({ length, className = '' }: { length: number; className?: string }) {
  return (
    <span className={`bar-track ${className}`}>
      {length > 0 && <span className="fill" style={{ width: `${length * 100}%` }} />}
    </span>
  );
}

const sum = (genres: readonly GenreCount[]) =>
  genres.reduce((songs, { songCount }) => songs + songCount, 0);

/** The share of each genre, from 0 to 1. */
function shares(genres: readonly GenreCount[]): Map<string, number> {
  const total = Math.max(1, sum(genres));
  return new Map(genres.map(({ name, songCount }) => [name, songCount / total]));
}

function tooltip(name: string, songs: number, total: number, other: number | null): string {
  const own = `${name}: ${counted(songs, 'song')} of ${count(total)}`;
  return other === null ? own : `${own}; ${portion(other)} of the other file`;
}
