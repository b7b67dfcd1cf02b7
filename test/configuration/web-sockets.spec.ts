/* Mistakes in `webSockets` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    [
      'webSockets.requireTls: text',
      { webSockets: { requireTls: 'yes' } },
      'ASEC_OPTION_TYPE',
      'webSockets.requireTls',
      '"yes"',
    ],
  ],
  unknownKeys: [['webSockets.requireTLS', { webSockets: { requireTLS: true } }, 'requireTls']],
});
