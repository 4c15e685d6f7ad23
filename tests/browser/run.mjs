// Runs one scenario: node run.mjs NAME JSON
import * as page from './page.mjs';
import * as playground from './playground.mjs';

const [name, given] = process.argv.slice(2);
await { ...page, ...playground }[name](JSON.parse(given));
