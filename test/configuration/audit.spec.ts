/* Mistakes in `audit` that stop the start-up. */
import { checkConfiguration } from '../support/configuration.js';

checkConfiguration({
  rows: [
    [
      'audit.logger: off, and nothing else',
      { audit: { logger: false } },
      'ASEC_OPTION_TYPE',
      'audit.logger',
      'leaves no place for audit records',
    ],
    ['audit: a date', { audit: new Date(0) }, 'ASEC_OPTION_TYPE', 'audit', 'an object'],
    [
      'audit.key: a short one',
      { audit: { key: 'hunter2' } },
      'ASEC_AUDIT_KEY',
      'audit.key',
      'received 7 characters',
    ],
    [
      'audit.sinks: a function',
      { audit: { sinks: [() => 0] } },
      'ASEC_OPTION_TYPE',
      'audit.sinks',
      'a list of sinks',
    ],
    [
      'audit.redactPatterns: texts',
      { audit: { redactPatterns: ['a'] } },
      'ASEC_OPTION_TYPE',
      'audit.redactPatterns',
      'regular expressions',
    ],
    ['audit.maxQueued: 1', { audit: { maxQueued: 1 } }, 'ASEC_OPTION_RANGE', 'audit.maxQueued', 'received 1'],
  ],
  variables: [
    [
      'AUDIT_KEY: a short one',
      { AUDIT_KEY: 'hunter2' },
      'ASEC_AUDIT_KEY',
      'AUDIT_KEY',
      'received 7 characters',
    ],
  ],
});
