/* Mistakes in `noStore` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    ['noStore: text', { noStore: 'force' }, 'ASEC_OPTION_TYPE', 'noStore', '"force"'],
    ['noStore: null', { noStore: null }, 'ASEC_OPTIONS_MISSING', 'noStore', 'is null'],
  ],
});
