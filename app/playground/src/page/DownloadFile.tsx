import { useEffect, useRef, useState } from 'react';
import { downloadBatch, type Extension, FORMATS } from './download';
import type { FileFragment } from './operations.generated';
import { asFailure } from './useRequest';

/** Downloads a batch's results in one of three formats. */
export function DownloadFile({ file, name }: { file: FileFragment; name: string }) {
  const [busy, setBusy] = useState<Extension | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);

  async function download(extension: Extension) {
    stop.current = new AbortController();
    setBusy(extension);
    setProblem(null);
    try {
      await downloadBatch(file, extension, stop.current.signal);
    } catch (error) {
      setProblem(asFailure(error).message);
    } finally {
      setBusy(null);
    }
  }

  return (
    <fieldset className="formats">
      <legend className="unseen">Download the results of {name}</legend>
      {FORMATS.map(({ extension, label }) => (
        <button
          key={extension}
          type="button"
          className="secondary"
          disabled={busy !== null}
          onClick={() => download(extension)}
        >
          {busy === extension ? 'Downloading…' : label}
        </button>
      ))}
      {problem && (
        <p className="notice bad" role="alert">
          {problem}
        </p>
      )}
    </fieldset>
  );
}
