/** The colour of each genre, the same everywhere on the page and always shown with the name. */

const COLOURS = 8;

/** The CSS class of a genre's colour, by its position among the model's genres. */
export function genreClass(genre: string, genres: readonly string[]): string {
  const index = genres.indexOf(genre);
  return index < 0 ? 'genre-other' : `genre-${index % COLOURS}`;
}
