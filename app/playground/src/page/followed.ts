/** The batch that this browser tab follows, kept so that a reload of the page goes on with it. */

export interface Followed {
  id: string;
  /** Name of its file. */
  file: string;
}

const KEY = 'genregraph-followed-batch';

export function keepFollowed(batch: Followed): void {
  sessionStorage.setItem(KEY, JSON.stringify(batch));
}

export function forgetFollowed(): void {
  sessionStorage.removeItem(KEY);
}

export function followedBefore(): Followed | null {
  const kept: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
  return isFollowed(kept) ? kept : null;
}

function isFollowed(value: unknown): value is Followed {
  return (
    typeof value === 'object' &&
    value !== null &&
    'id' in value &&
    'file' in value &&
    typeof value.id === 'string' &&
    typeof value.file === 'string'
  );
}
