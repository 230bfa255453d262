import { writeFileSync } from 'node:fs';
import { documentText } from '../src/http/management/document.js';

/** Writes docs/openapi.json from the operations; a test fails while the two differ. */
writeFileSync('docs/openapi.json', documentText());
