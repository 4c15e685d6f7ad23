import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';

interface Props {
  title: ReactNode;
  onClose: () => void;
  /** Id of what gets the focus if what had it before is gone. */
  focusElse?: string;
  children: ReactNode;
}

/** The browser's own modal dialog: it holds the focus, and Escape closes it. */
export function Dialog({ title, onClose, focusElse, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Closed while it is still in the document, it gives the focus back to where it was.
  useLayoutEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
    return () => {
      element?.close();
      // What got it back may go in the same moment, as the row of a deleted file does.
      queueMicrotask(() => {
        const lost = !document.activeElement || document.activeElement === document.body;
        if (focusElse && lost) document.getElementById(focusElse)?.focus();
      });
    };
  }, [focusElse]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does by keyboard what a click beside it does
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onCancel={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div className="sheet">
        <header>
          <h2 id={id}>{title}</h2>
          <button type="button" className="close" aria-label="Close" onClick={onClose}>
            ×
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
