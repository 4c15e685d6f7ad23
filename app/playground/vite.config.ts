import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Two pages: index.html, the page for people, and playground.html, GraphiQL. Relative paths, so that
// both work behind a proxy that serves genregraph under a folder.
export default defineConfig({
  base: './',
  plugins: [react()],
  worker: { format: 'es' },
  server: { proxy: { '/graphql': 'http://127.0.0.1:8000', '/assets': 'http://127.0.0.1:8000' } },
  build: {
    rolldownOptions: {
      input: ['index.html', 'playground.html'],
      // GraphiQL's "use no memo" is for a compiler that does not run here.
      checks: { moduleLevelDirective: false },
    },
    assetsInlineLimit: 0, // a data: script or style would break the Content-Security-Policy
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' }, // of what is bundled, as those licences ask
    chunkSizeWarningLimit: 8000, // Monaco
  },
});
