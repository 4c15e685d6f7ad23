import { Bar, BarChart, Cell, LabelList, ResponsiveContainer, XAxis, YAxis } from 'recharts';
import { count, counted } from '../shared/format';
import { genreClass } from './palette';

export interface GenreCount {
  name: string;
  songCount: number;
}

interface Props {
  genres: readonly GenreCount[];
  order: readonly string[];
  selected: string | null;
  onSelect: (genre: string | null) => void;
}

const BAR = 34;

/** Songs by genre, the most frequent first; a genre can be chosen in the chart or by its button. */
export function GenreChart({ genres, order, selected, onSelect }: Props) {
  const sorted = [...genres].sort(
    (a, b) => b.songCount - a.songCount || a.name.localeCompare(b.name),
  );
  const total = sorted.reduce((sum, genre) => sum + genre.songCount, 0);
  const toggle = (name: string) => onSelect(name === selected ? null : name);
  return (
    <>
      <figure
        className="chart"
        role="img"
        aria-label={`Bar chart: ${sorted.map((genre) => `${genre.name} ${genre.songCount}`).join(', ')}`}
      >
        <ResponsiveContainer width="100%" height={sorted.length * BAR + 8}>
          <BarChart
            data={sorted}
            layout="vertical"
            margin={{ top: 4, right: 48, bottom: 4, left: 0 }}
            barCategoryGap={6}
            accessibilityLayer={false}
          >
            <XAxis type="number" hide domain={[0, 'dataMax']} />
            <YAxis
              type="category"
              dataKey="name"
              width={matchMedia('(max-width: 40rem)').matches ? 118 : 190}
              axisLine={false}
              tickLine={false}
              interval={0}
            />
            <Bar
              dataKey="songCount"
              radius={[4, 8, 8, 4]}
              background={{ className: 'bar-track', radius: 8 }}
              isAnimationActive={!matchMedia('(prefers-reduced-motion: reduce)').matches}
              animationDuration={500}
              onClick={(_, index) => sorted[index] && toggle(sorted[index].name)}
            >
              {sorted.map((genre) => (
                <Cell
                  key={genre.name}
                  className={`bar ${genreClass(genre.name, order)} ${
                    selected && selected !== genre.name ? 'faded' : ''
                  }`}
                />
              ))}
              <LabelList dataKey="songCount" position="right" formatter={(n) => count(Number(n))} />
            </Bar>
          </BarChart>
        </ResponsiveContainer>
      </figure>
      <fieldset className="chips">
        <legend className="unseen">Show songs of</legend>
        <button type="button" aria-pressed={selected === null} onClick={() => onSelect(null)}>
          All genres <span className="number">{count(total)}</span>
        </button>
        {sorted.map((genre) => (
          <button
            type="button"
            key={genre.name}
            aria-pressed={selected === genre.name}
            aria-label={`${genre.name}, ${counted(genre.songCount, 'song')}`}
            onClick={() => toggle(genre.name)}
          >
            <span className={`dot ${genreClass(genre.name, order)}`} aria-hidden="true" />
            {genre.name} <span className="number">{count(genre.songCount)}</span>
          </button>
        ))}
      </fieldset>
    </>
  );
}
