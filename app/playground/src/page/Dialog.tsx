import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';

interface Props {
  title: ReactNode;
  onClose: () => void;
  /** ID of the element to focus if the previously focused one is gone. */
  focusElse?: string;
  children: ReactNode;
}

/** The browser's modal dialog, which traps the focus and closes on Escape. */
export function Dialog({ title, onClose, focusElse, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Close it before it leaves the document, so that it restores the focus.
  useLayoutEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
    return () => {
      element?.close();
      // The element that regains the focus may disappear at once, such as the row of a deleted file.
      queueMicrotask(() => {
        const lost = !document.activeElement || document.activeElement === document.body;
        if (focusElse && lost) document.getElementById(focusElse)?.focus();
      });
    };
  }, [focusElse]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it by keyboard
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
