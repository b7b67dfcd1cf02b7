/* Mistakes in `requestId` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    [
      'requestId.header: a space',
      { requestId: { header: 'X Request' } },
      'ASEC_REQUEST_ID_HEADER',
      'requestId.header',
      '"X Request"',
    ],
    [
      'requestId.accept: text',
      { requestId: { accept: 'uuid' } },
      'ASEC_OPTION_TYPE',
      'requestId.accept',
      'a regular expression',
    ],
    [
      'requestId.generate: text',
      { requestId: { generate: 'uuid' } },
      'ASEC_OPTION_TYPE',
      'requestId.generate',
      'a function',
    ],
  ],
  unknownKeys: [['requestId.headers', { requestId: { headers: 'X-Request-ID' } }, 'header']],
});
