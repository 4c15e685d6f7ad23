import { useEffect, useRef } from 'react';
import { Continues } from './Activity';
import { FileRow } from './FileRow';
import { isUnfinished } from './followBatch';
import type { FileFragment } from './operations.generated';
import type { Following } from './useFollowing';

interface Props {
  files: readonly FileFragment[];
  followed: Readonly<Record<string, Following>>;
  loading: boolean;
  /** Called with a batch that has just started. */
  onAccepted: (file: FileFragment) => void;
  onChange: () => void;
  /** Load older files; null if there are none. */
  onMore: (() => void) | null;
}

/** The batches of the client, newest first. */
export function FilesView({ files, followed, loading, onAccepted, onChange, onMore }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  const held = useRef<Element | null>(null);
  // Keep the focus in the list when the focused file disappears.
  useEffect(() => {
    if (held.current?.isConnected === false && document.activeElement === document.body) {
      heading.current?.focus({ preventScroll: true });
    }
  });
  return (
    <section
      className="card files"
      aria-labelledby="files-title"
      aria-busy={loading}
      onFocus={({ target }) => {
        held.current = target;
      }}
    >
      <header>
        <h2 className="card-title" id="files-title" tabIndex={-1} ref={heading}>
          Files
        </h2>
        {files.some(isUnfinished) && <Continues />}
      </header>
      {files.length === 0 && <p className="empty">No files yet. Drop one above.</p>}
      {files.length > 0 && (
        <ul className="file-list">
          {files.map((file) => (
            <FileRow
              key={file.id}
              file={file}
              following={followed[file.id]}
              onAccepted={onAccepted}
              onChange={onChange}
            />
          ))}
        </ul>
      )}
      {onMore && (
        <p className="pages">
          <button type="button" className="secondary" disabled={loading} onClick={onMore}>
            Show more files
          </button>
        </p>
      )}
    </section>
  );
}
