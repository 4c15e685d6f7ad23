import { useStore } from '../shared/store';
import { dismissToast, toasts } from './toasts';

/** The news at hand, in a corner; what asks for nothing goes by itself. */
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
