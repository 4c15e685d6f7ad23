import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { useGraphiQL, useGraphiQLActions, useMonaco } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect, useMemo, useRef, useState } from 'react';
import { CredentialsForm } from '../shared/CredentialsForm';
import type { Configuration } from '../shared/configuration';
import { credentials } from '../shared/credentials';
import { percent } from '../shared/format';
import { useStore } from '../shared/store';
import { theme } from '../shared/theme';
import { CopyAs } from './CopyAs';
import { FILES_PLUGIN } from './FilesPanel';
import { FilesWhenNeeded } from './FilesWhenNeeded';
import { createFetcher, failure, response, uploaded } from './fetcher';
import { repairMarkup } from './graphiqlMarkup';
import { ResponseFacts } from './ResponseFacts';
import { READY_TABS } from './tabs';
import { VariablesCheck } from './VariablesCheck';

/** GraphiQL below a bar with credentials, upload progress and failures. */
export function App({ configuration }: { configuration: Configuration }) {
  const { maxUploadBytes, introspection } = configuration;
  const fetcher = useMemo(() => createFetcher(maxUploadBytes), [maxUploadBytes]);
  const client = useStore(credentials);
  const chosen = useStore(theme);
  const main = useRef<HTMLElement>(null);
  useEffect(() => (main.current ? repairMarkup(main.current) : undefined), []);
  return (
    <>
      <header className="top">
        <a className="brand" href="./" aria-label="genregraph, the page for people">
          <img src="icon.svg" alt="" width="28" height="28" /> genregraph
        </a>
        <h1>Playground</h1>
        <CredentialsForm submitLabel="Sign in" />
        <Status introspection={introspection} />
      </header>
      <main aria-label="GraphQL editor" ref={main}>
        <GraphiQL
          fetcher={fetcher}
          // Without credentials, or if introspection is off, the request would fail.
          {...(introspection && client ? {} : { schema: null })}
          {...(chosen === 'system' ? {} : { forcedTheme: chosen })}
          plugins={[HISTORY_PLUGIN, FILES_PLUGIN]}
          visiblePlugin={FILES_PLUGIN}
          defaultTabs={READY_TABS}
          defaultEditorToolsVisibility="variables"
          shouldPersistHeaders={false}
        >
          <GraphiQL.Logo> </GraphiQL.Logo>
          <GraphiQL.Toolbar>
            {({ prettify, merge, copy }) => (
              <>
                {prettify}
                {merge}
                {copy}
                <CopyAs />
              </>
            )}
          </GraphiQL.Toolbar>
          <GraphiQL.Footer>
            <ResponseFacts />
            <FilesWhenNeeded />
            <AnswerInView />
            <MonospaceFont />
            <FreshSchema />
            <ReadableComments />
            <SystemTheme />
            <VariablesCheck />
          </GraphiQL.Footer>
        </GraphiQL>
      </main>
    </>
  );
}

/** Fetches the schema again when the credentials change, as wrong ones yield none. */
function FreshSchema() {
  const client = useStore(credentials);
  const { introspect } = useGraphiQLActions();
  const last = useRef(client);
  useEffect(() => {
    if (last.current === client) return;
    last.current = client;
    introspect();
  }, [client, introspect]);
  return null;
}

/** GraphiQL's dark theme with readable comments. */
function ReadableComments() {
  const monaco = useMonaco((state) => state.monaco);
  useEffect(() => {
    monaco?.editor.defineTheme('graphiql-DARK', {
      base: 'vs-dark',
      inherit: true,
      rules: [
        { token: 'comment', foreground: '94bd7e' },
        { token: 'argument.identifier.gql', foreground: 'a29dff' },
      ],
      colors: {
        'editor.background': '#ffffff00',
        'scrollbar.shadow': '#ffffff00',
        'editorHoverWidget.background': '#212a3b',
        'editorSuggestWidget.background': '#212a3b',
        'editorWidget.background': '#212a3b',
        'quickInput.background': '#212a3b',
        'menu.background': '#212a3b',
      },
    });
  }, [monaco]);
  return null;
}

/** Applies the system's theme to the editors when it changes; GraphiQL does so only at the start. */
function SystemTheme() {
  const chosen = useGraphiQL((state) => state.theme);
  const { setTheme } = useGraphiQLActions();
  useEffect(() => {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const again = () => setTheme(chosen);
    system.addEventListener('change', again);
    return () => system.removeEventListener('change', again);
  }, [chosen, setTheme]);
  return null;
}

/** Uses the page's monospaced font in the editors; GraphiQL's would be half a megabyte. */
function MonospaceFont() {
  const query = useGraphiQL((state) => state.queryEditor);
  const variables = useGraphiQL((state) => state.variableEditor);
  const headers = useGraphiQL((state) => state.headerEditor);
  const response = useGraphiQL((state) => state.responseEditor);
  useEffect(() => {
    const fontFamily = getComputedStyle(document.body).getPropertyValue('--mono');
    for (const editor of [query, variables, headers, response]) {
      editor?.updateOptions({ fontFamily });
    }
  }, [query, variables, headers, response]);
  return null;
}

/** Scrolls to the response if it is below the editors, as on a phone. */
function AnswerInView() {
  const arrived = useStore(response);
  useEffect(() => {
    const place = document.querySelector('.graphiql-response');
    if (arrived && place && place.getBoundingClientRect().top > innerHeight * 0.75) {
      place.scrollIntoView();
    }
  }, [arrived]);
  return null;
}

/** Messages that overlay the editors instead of moving them: a button must not move under the mouse. */
function Status({ introspection }: { introspection: boolean }) {
  const share = useStore(uploaded);
  const shown = useStore(failure);
  const client = useStore(credentials);
  const [explained, setExplained] = useState(false);
  if (share !== null) {
    return (
      <div className="bar" role="status">
        <progress aria-label="Upload" {...(share < 1 ? { value: share } : {})} />
        {share < 1 ? `Uploading, ${percent(share)}` : 'Uploaded. Classifying…'}
      </div>
    );
  }
  if (shown) {
    return (
      <div className="bar bad" role="alert">
        {shown.message}
        <button type="button" onClick={() => failure.set(null)}>
          Close
        </button>
      </div>
    );
  }
  if (!client) {
    return <p className="bar">Enter your client ID and secret above to begin.</p>;
  }
  if (!introspection && !explained) {
    return (
      <div className="bar">
        Introspection is off on this service (GENREGRAPH_INTROSPECTION), so there is no completion
        and no documentation here.
        <button type="button" onClick={() => setExplained(true)}>
          Close
        </button>
      </div>
    );
  }
  return null;
}
