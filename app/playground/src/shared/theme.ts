/** The colour theme: light, dark, or the system's. The choice is kept in local storage. */

import { Store } from './store';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'genregraph-theme';

export const theme = new Store<Theme>(read());

export function chooseTheme(chosen: Theme): void {
  if (chosen === 'system') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, chosen);
  theme.set(chosen);
  applyTheme();
}

/** Set `data-theme`, which the style sheets use; without it, they follow the system. */
export function applyTheme(): void {
  const chosen = theme.get();
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

function read(): Theme {
  const kept = globalThis.localStorage?.getItem(KEY);
  return THEMES.find((one) => one === kept) ?? 'system';
}
