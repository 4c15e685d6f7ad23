import { useRef } from 'react';
import { counted } from '../shared/format';
import type { SongRow } from './songs';
import { histogram } from './songsInMemory';

interface Props {
  /** The songs of the histogram; null unless all are in memory. */
  songs: readonly SongRow[] | null;
  /** In percent. */
  from: number;
  to: number;
  /** Number of songs in the range; null if unknown. */
  selected: number | null;
  onChange: (range: { from?: number; to?: number }) => void;
}

const STEP = 5;

/** A histogram of confidence with a range to drag. */
export function ConfidenceRange({ songs, from, to, selected, onChange }: Props) {
  const bins = histogram(songs ?? []);
  const highest = Math.max(1, ...bins);
  const all = from === 0 && to === 100;
  const lowest = useRef<HTMLInputElement>(null);
  return (
    <fieldset className="range">
      <legend>
        Confidence{' '}
        <span className="quiet number">
          {all ? 'any' : `${from}–${to}%`}
          {!all && selected !== null && <span>: {counted(selected, 'song')}</span>}
        </span>
        {/* Hidden but in place, so that the thumbs do not move while they are dragged. */}
        <button
          type="button"
          className={all ? 'link hidden' : 'link'}
          onClick={() => {
            onChange({ from: 0, to: 100 });
            lowest.current?.focus();
          }}
        >
          Reset
        </button>
      </legend>
      <div className={songs ? 'bins' : 'bins flat'} aria-hidden="true">
        {bins.map((value, index) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: bins are identified by their position
            key={index}
            className={index * STEP >= from && index * STEP < to ? 'in' : ''}
            style={{ height: `${value === 0 ? 0 : Math.max(4, (value / highest) * 100)}%` }}
            title={`${index * STEP}–${(index + 1) * STEP}%: ${counted(value, 'song')}`}
          />
        ))}
      </div>
      <div className="thumbs">
        <input
          ref={lowest}
          type="range"
          aria-label="Lowest confidence"
          aria-valuetext={`${from}%`}
          min={0}
          max={100}
          step={STEP}
          value={from}
          onChange={(event) => onChange({ from: Math.min(Number(event.target.value), to - STEP) })}
        />
        <input
          type="range"
          aria-label="Highest confidence"
          aria-valuetext={`${to}%`}
          min={0}
          max={100}
          step={STEP}
          value={to}
          onChange={(event) => onChange({ to: Math.max(Number(event.target.value), from + STEP) })}
        />
      </div>
    </fieldset>
  );
}
