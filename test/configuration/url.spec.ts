/* Mistakes in `url` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    [
      'url.insecureAllow: an unknown form',
      { url: { insecureAllow: ['slash'] } },
      'ASEC_OPTION_TYPE',
      'url.insecureAllow[0]',
      '"encoded-slash"',
    ],
    ['url: a date', { url: new Date(0) }, 'ASEC_OPTION_TYPE', 'url', 'an object'],
  ],
  numbers: [['url.maxLength', maxLength => ({ url: { maxLength } })]],
  unknownKeys: [['url.insecureAllowed', { url: { insecureAllowed: [] } }, 'insecureAllow']],
});
