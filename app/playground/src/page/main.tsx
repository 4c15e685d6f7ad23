import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { loadConfiguration } from '../shared/configuration';
import { applyTheme } from '../shared/theme';
import { App } from './App';
import './page.css';

applyTheme();
const root = document.getElementById('root');
if (!root) throw new Error('the page has no #root');
const configuration = await loadConfiguration();
createRoot(root).render(
  <StrictMode>
    <App configuration={configuration} />
  </StrictMode>,
);
