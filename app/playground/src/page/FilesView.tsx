import { useState } from 'react';
import { execute } from './api';
import { FileRow } from './FileRow';
import { FilesDocument } from './operations.generated';
import { Skeleton } from './SongList';
import type { Following } from './useFollowing';
import { useRequest } from './useRequest';

interface Props {
  followed: Readonly<Record<string, Following>>;
  /** Changes when a batch was stored, ended or deleted, or the client changed. */
  revision: string;
  onChange: () => void;
}

const PAGE = 20;
const LARGEST_PAGE = 1000;

/** Every batch of the client, newest first. */
export function FilesView({ followed, revision, onChange }: Props) {
  const [first, setFirst] = useState(PAGE);
  const { value, failure, loading } = useRequest(`${first} ${revision}`, (signal) =>
    execute(FilesDocument, { first }, { signal }),
  );
  const files = value?.batches.nodes;
  return (
    <section className="card files" aria-labelledby="files-title" aria-busy={loading}>
      <header>
        <h2 className="card-title" id="files-title" tabIndex={-1}>
          Files
        </h2>
      </header>
      {failure && (
        <p className="notice bad" role="alert">
          {failure.message}
        </p>
      )}
      {!files && !failure && <Skeleton />}
      {files?.length === 0 && <p className="empty">No files yet. Drop one above.</p>}
      {files && files.length > 0 && (
        <ul className="file-list">
          {files.map((file) => (
            <FileRow key={file.id} file={file} following={followed[file.id]} onChange={onChange} />
          ))}
        </ul>
      )}
      {value?.batches.pageInfo.hasNextPage && first < LARGEST_PAGE && (
        <p className="pages">
          <button type="button" className="secondary" onClick={() => setFirst(first + PAGE)}>
            Show more files
          </button>
        </p>
      )}
    </section>
  );
}
