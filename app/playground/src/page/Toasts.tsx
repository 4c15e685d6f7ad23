import { useStore } from '../shared/store';
import { dismissToast, toasts } from './toasts';

/** Toasts in a corner; those without an action disappear after a while. */
export function Toasts() {
  const shown = useStore(toasts);
  return (
    <section className="toasts" aria-label="Notifications" aria-live="polite">
      {shown.map(({ key, text, bad, action }) => (
        <div key={key} className={`toast ${bad ? 'is-bad' : ''}`}>
          <p>{text}</p>
          {action && (
            <button
              type="button"
              className="link"
              onClick={() => {
                dismissToast(key);
                action.run();
              }}
            >
              {action.label}
            </button>
          )}
          <button
            type="button"
            className="close"
            aria-label="Dismiss"
            onClick={() => dismissToast(key)}
          >
            ×
          </button>
        </div>
      ))}
    </section>
  );
}
