/* Mistakes in `check` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

const silence = (entries: unknown): object => ({ check: { silence: entries } });

checkConfiguration({
  rows: [
    ['no object', { check: true }, 'ASEC_OPTION_TYPE', 'check', 'must be an object, received true'],
    [
      'a list of IDs',
      silence(['ASEC-C001']),
      'ASEC_OPTION_TYPE',
      'check.silence',
      'an object of IDs and reasons',
    ],
    [
      'no ID',
      silence({ hosts: 'x' }),
      'ASEC_OPTION_TYPE',
      'check.silence.hosts',
      'is not the ID of a finding',
    ],
    [
      'a code',
      silence({ ASEC_HOST_SCHEME: 'x' }),
      'ASEC_OPTION_TYPE',
      'check.silence.ASEC_HOST_SCHEME',
      'not the ID',
    ],
    [
      'no reason',
      silence({ 'ASEC-C001': '' }),
      'ASEC_OPTION_TYPE',
      'check.silence.ASEC-C001',
      'a non-empty string',
    ],
    [
      'true',
      silence({ 'ASEC-C001': true }),
      'ASEC_OPTION_TYPE',
      'check.silence.ASEC-C001',
      'a non-empty string',
    ],
    [
      'an undefined reason',
      silence({ 'ASEC-C001': undefined }),
      'ASEC_OPTIONS_MISSING',
      'check.silence.ASEC-C001',
      'is undefined',
    ],
  ],
  unknownKeys: [['check.silenced', { check: { silenced: {} } }, 'silence']],
});
