/* Mistakes in `timeout` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    ['timeout: no unit', { timeout: '30' }, 'ASEC_OPTION_TYPE', 'timeout.handler', '"30"'],
    ['timeout: 0', { timeout: 0 }, 'ASEC_OPTION_TYPE', 'timeout.handler', 'received 0'],
    ['timeout: NaN', { timeout: Number.NaN }, 'ASEC_OPTION_TYPE', 'timeout.handler', 'NaN'],
    ['timeout: null', { timeout: null }, 'ASEC_OPTIONS_MISSING', 'timeout', 'is null'],
    [
      'timeout.headers: beyond a timer',
      { timeout: { headers: '1000h' } },
      'ASEC_OPTION_RANGE',
      'timeout.headers',
      '"1000h"',
    ],
    ['timeout.idle: true', { timeout: { idle: true } }, 'ASEC_OPTION_TYPE', 'timeout.idle', 'received true'],
  ],
  unknownKeys: [['timeout.handlers', { timeout: { handlers: '5s' } }, 'handler']],
});
