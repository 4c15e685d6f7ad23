/**
 * Whether this tab has shown songs: a reload then starts with the layout that it will have, not with
 * that of an empty catalogue.
 */

const KEY = 'genregraph-had-songs';

export const hadSongs = (): boolean => sessionStorage.getItem(KEY) !== null;

export function rememberSongs(any: boolean): void {
  if (any) sessionStorage.setItem(KEY, '');
  else sessionStorage.removeItem(KEY);
}
