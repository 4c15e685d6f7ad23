/** Toasts: short messages about events such as the end of a batch. */

import { Store } from '../shared/store';

export interface Toast {
  key: number;
  text: string;
  bad: boolean;
  action?: { label: string; run: () => void };
}

/** Maximum number of toasts; more would hide the page. */
const MAX_TOASTS = 3;

/** How long a toast without an action is shown. */
export const SHOWN_MS = 8000;

export const toasts = new Store<readonly Toast[]>([]);

let last = 0;

export function say(text: string, rest: Partial<Pick<Toast, 'bad' | 'action'>> = {}): void {
  last += 1;
  const toast = { key: last, text, bad: false, ...rest };
  toasts.set([...toasts.get(), toast].slice(-MAX_TOASTS));
  if (!toast.bad && !toast.action) setTimeout(() => dismissToast(toast.key), SHOWN_MS);
}

export function dismissToast(key: number): void {
  toasts.set(toasts.get().filter((toast) => toast.key !== key));
}
