/* Mistakes in `errors` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    [
      'errors.typeBase: no URI',
      { errors: { typeBase: 'api problems' } },
      'ASEC_OPTION_TYPE',
      'errors.typeBase',
      'a URI',
    ],
    [
      'errors.exposeMessages: text',
      { errors: { exposeMessages: 'no' } },
      'ASEC_OPTION_TYPE',
      'errors.exposeMessages',
      '"no"',
    ],
  ],
  unknownKeys: [['errors.typebase', { errors: { typebase: '/' } }, 'typeBase']],
});
