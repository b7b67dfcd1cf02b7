/* Mistakes in `methods` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    ['methods: in lower case', { methods: ['GET', 'post'] }, 'ASEC_METHOD_NAME', 'methods[1]', '"post"'],
    ['methods: TRACE', { methods: ['TRACE'] }, 'ASEC_METHOD_NAME', 'methods[0]', 'never served'],
    ['methods: a verb', { methods: ['SUMMARIZE'] }, 'ASEC_METHOD_NAME', 'methods[0]', '@Verb()'],
    ['methods: none', { methods: [] }, 'ASEC_METHOD_NAME', 'methods', 'empty list'],
    ['methods: an empty text', { methods: '' }, 'ASEC_METHOD_NAME', 'methods[0]', '""'],
  ],
});
