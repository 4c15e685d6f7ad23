import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const library = (path: string) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));

// graphql must be one copy; Node would take one build of it for the tests and another for this library.
export default defineConfig({
  resolve: {
    alias: {
      graphql: library('graphql/index.mjs'),
      'graphql-language-service': library('graphql-language-service/esm/index.js'),
    },
  },
  test: { server: { deps: { inline: [/graphql/] } } },
});
