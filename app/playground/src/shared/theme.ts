/** Light, dark, or as the system has it; a choice outlives the visit. */

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

/** The style sheets ask for `data-theme`; without one they follow the system. */
export function applyTheme(): void {
  const chosen = theme.get();
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

function read(): Theme {
  const kept = globalThis.localStorage?.getItem(KEY);
  return THEMES.find((one) => one === kept) ?? 'system';
}
