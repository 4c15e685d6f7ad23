import { type ReactNode, useRef, useState } from 'react';
import { Dialog } from './Dialog';
import { say } from './toasts';
import { asFailure } from './useRequest';

interface Action {
  busy: boolean;
  /** Run the action; show its failure in the dialog, or as a toast if the dialog has been closed. */
  run: (work: () => Promise<void>) => void;
  close: () => void;
}

interface Props {
  label: string;
  /** The label with the file's name, as each file has this button. */
  longLabel: string;
  title: string;
  /** Called after a failure: the file may have changed since it was listed. */
  onFailed: () => void;
  children: (action: Action) => ReactNode;
}

/** A button that opens a dialog for an action on a file. */
export function FileAction({ label, longLabel, title, onFailed, children }: Props) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const open = useRef(false);
  open.current = asking;

  async function run(work: () => Promise<void>) {
    setBusy(true);
    setProblem(null);
    try {
      await work();
      setBusy(false);
    } catch (error) {
      const { message } = asFailure(error);
      setBusy(false);
      if (open.current) return setProblem(message);
      say(message, { bad: true });
      onFailed();
    }
  }

  function close() {
    setAsking(false);
    setProblem(null);
    if (problem) onFailed();
  }

  return (
    <>
      <button
        type="button"
        className="secondary"
        aria-label={longLabel}
        onClick={() => setAsking(true)}
      >
        {label}
      </button>
      {asking && (
        <Dialog title={title} onClose={close} focusElse="files-title">
          {problem && (
            <p className="notice bad" role="alert">
              {problem}
            </p>
          )}
          {children({ busy, run, close })}
        </Dialog>
      )}
    </>
  );
}
