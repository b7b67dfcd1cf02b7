/* Mistakes in the options as a whole that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    ['options that are no object', 5, 'ASEC_OPTION_TYPE', 'options', 'received 5'],
    ['options that are a list', [], 'ASEC_OPTION_TYPE', 'options', 'an object'],
    ['options that are null', null, 'ASEC_OPTIONS_MISSING', 'options', 'is null'],
    ['options that are undefined', undefined, 'ASEC_OPTIONS_MISSING', 'options', 'is undefined'],
  ],
  unknownKeys: [
    ['host', { host: [] }, 'hosts'],
    ['ratelimit', { ratelimit: {} }, 'rateLimit'],
    ['trustproxy', { trustproxy: 1 }, 'trustProxy'],
    ['method', { method: ['GET'] }, 'methods'],
  ],
});
