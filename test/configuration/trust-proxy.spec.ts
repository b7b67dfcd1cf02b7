/* Mistakes in `trustProxy` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    ['trustProxy: true', { trustProxy: true }, 'ASEC_TRUST_ALL', 'trustProxy', 'choose its own address'],
    ['trustProxy: a name', { trustProxy: 'my-proxy' }, 'ASEC_TRUST_INVALID', 'trustProxy', '"my-proxy"'],
    [
      'trustProxy: everybody',
      { trustProxy: ['0.0.0.0/0'] },
      'ASEC_TRUST_INVALID',
      'trustProxy',
      'every address',
    ],
  ],
  variables: [
    ['TRUST_PROXY: true', { TRUST_PROXY: 'true' }, 'ASEC_TRUST_ALL', 'TRUST_PROXY', 'Name the proxies'],
    ['TRUST_PROXY: a name', { TRUST_PROXY: 'nginx' }, 'ASEC_TRUST_INVALID', 'TRUST_PROXY', 'nginx'],
    ['TRUST_PROXY: too many hops', { TRUST_PROXY: '33' }, 'ASEC_OPTION_RANGE', 'TRUST_PROXY', '33'],
  ],
  numbers: [['trustProxy', trustProxy => ({ trustProxy })]],
});
