/**
 * Remember whether this tab has shown songs, so that a reload starts with the final layout and not with
 * that of an empty catalogue.
 */

const KEY = 'genregraph-had-songs';

export const hadSongs = (): boolean => sessionStorage.getItem(KEY) !== null;

export function rememberSongs(any: boolean): void {
  if (any) sessionStorage.setItem(KEY, '');
  else sessionStorage.removeItem(KEY);
}
