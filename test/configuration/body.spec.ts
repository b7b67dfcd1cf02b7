/* Mistakes in `body` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    [
      'body.duplicateKeys: false',
      { body: { duplicateKeys: false } },
      'ASEC_OPTION_TYPE',
      'body.duplicateKeys',
      '"reject"',
    ],
    ['body: a date', { body: new Date(0) }, 'ASEC_OPTION_TYPE', 'body', 'an object'],
    [
      'body.maxBytes: a size that is none',
      { body: { maxBytes: '10 megs' } },
      'ASEC_OPTION_TYPE',
      'body.maxBytes',
      '"10 megs"',
    ],
  ],
  numbers: [
    ['body.maxBytes', maxBytes => ({ body: { maxBytes } })],
    ['body.maxDepth', maxDepth => ({ body: { maxDepth } })],
    ['body.maxKeys', maxKeys => ({ body: { maxKeys } })],
  ],
  unknownKeys: [['body.maxByte', { body: { maxByte: 1 } }, 'maxBytes']],
});
