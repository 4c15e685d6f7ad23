// Runs one scenario: node run.mjs NAME JSON
import * as files from './files.mjs';
import * as page from './page.mjs';
import * as playground from './playground.mjs';
import * as races from './races.mjs';
import * as review from './review.mjs';

const [name, given] = process.argv.slice(2);
await { ...files, ...page, ...playground, ...races, ...review }[name](JSON.parse(given));
