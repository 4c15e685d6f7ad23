/** A colour for each genre, the same everywhere on the page; the names stand beside it always. */

const COLOURS = 8;

/** The class that carries the genre's colour, by its place among the model's genres. */
export function genreClass(genre: string, genres: readonly string[]): string {
  const place = genres.indexOf(genre);
  return place < 0 ? 'genre-other' : `genre-${place % COLOURS}`;
}
