import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import { createRoot } from 'react-dom/client';
import { loadConfiguration } from '../shared/configuration';
import { applyTheme } from '../shared/theme';
import { App } from './App';
import { prepareFirstVisit } from './tabs';
import './playground.css';

applyTheme();
const root = document.getElementById('root');
if (!root) throw new Error('the page has no #root');
prepareFirstVisit(localStorage);
const configuration = await loadConfiguration();
createRoot(root).render(<App configuration={configuration} />);
