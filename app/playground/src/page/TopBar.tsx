import type { Credentials } from '../shared/credentials';
import { useStore } from '../shared/store';
import { chooseTheme, THEMES, type Theme, theme } from '../shared/theme';
import { EVERYTHING, go, type Route } from './route';

interface Props {
  shown: Route;
  unfinished: number;
  /** The signed-in client; null if there is none, or its credentials were rejected. */
  client: Credentials | null;
  onClient: () => void;
}

const THEME_LABELS: Record<Theme, string> = { system: 'Auto', light: 'Light', dark: 'Dark' };

/** The name, the views, and the page's menus. */
export function TopBar({ shown, unfinished, client, onClient }: Props) {
  const chosen = useStore(theme);
  const current = (view: Route['view']) => (shown.view === view ? 'page' : undefined);
  return (
    <header className={client ? 'top signed-in' : 'top'}>
      <a className="brand" href="./" aria-label="genregraph, start">
        <img src="icon.svg" alt="" width="32" height="32" /> <span>genregraph</span>
      </a>
      {client && (
        <nav className="views" aria-label="Views">
          <button
            type="button"
            aria-current={current('songs')}
            onClick={() => go(shown.view === 'songs' ? EVERYTHING : { view: 'songs', song: null })}
          >
            Songs
          </button>
          <button
            type="button"
            aria-current={current('files')}
            onClick={() => go({ view: 'files', song: null })}
          >
            Files
            {unfinished > 0 && (
              <span className="badge">
                {unfinished}
                <span className="unseen"> being classified</span>
              </span>
            )}
          </button>
          <button
            type="button"
            aria-current={current('review')}
            onClick={() => go({ view: 'review', song: null })}
          >
            Review
          </button>
        </nav>
      )}
      <nav className="tools" aria-label="More">
        <a href="graphql">Playground</a>
        <span className="theme">
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
            <path d="M8 1.75a6.25 6.25 0 0 1 0 12.5z" fill="currentColor" />
          </svg>
          <select
            aria-label="Theme"
            value={chosen}
            onChange={(event) =>
              chooseTheme(THEMES.find((one) => one === event.target.value) ?? 'system')
            }
          >
            {THEMES.map((one) => (
              <option key={one} value={one}>
                {THEME_LABELS[one]}
              </option>
            ))}
          </select>
        </span>
        {client && (
          <button type="button" className="secondary client" onClick={onClient}>
            <span className="unseen">Client </span>
            {client.clientId}
          </button>
        )}
      </nav>
    </header>
  );
}
