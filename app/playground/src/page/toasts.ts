/** Short news that does not wait for the reader, such as the end of a batch. */

import { Store } from '../shared/store';

export interface Toast {
  key: number;
  text: string;
  bad: boolean;
  action?: { label: string; run: () => void };
}

/** More would hide the page. */
const MOST = 3;

export const toasts = new Store<readonly Toast[]>([]);

let last = 0;

export function say(text: string, rest: Partial<Pick<Toast, 'bad' | 'action'>> = {}): void {
  last += 1;
  toasts.set([...toasts.get(), { key: last, text, bad: false, ...rest }].slice(-MOST));
}

export function dismissToast(key: number): void {
  toasts.set(toasts.get().filter((toast) => toast.key !== key));
}
