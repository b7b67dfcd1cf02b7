/* Documents that clients and researchers look for. */
import type { Faults } from '../../check/check.js';
import { isRecord } from '../../common/read-options.js';
import { clip, valueOf } from '../answer.js';
import { answerTo, type ScanFacts } from '../facts.js';
import type { ScanRule } from '../rule.js';

/** A document of RFC 9728 or RFC 8414. A page that every path gets is none: only JSON counts. */
function metadataFaults(
  facts: ScanFacts,
  name: 'resourceMetadata' | 'serverMetadata',
  member: string,
): Faults {
  const answer = answerTo(facts, name);
  if (answer.status !== 200 || !/^application\/json/i.test(valueOf(answer, 'content-type'))) return [];
  const document = parseJson(answer.body);
  const option = name === 'resourceMetadata' ? 'oauth-protected-resource' : 'oauth-authorization-server';
  if (!isRecord(document)) return [[option, 'is no JSON object']];
  const { isLoopback, origin } = facts.target;
  const value = document[member];
  if (typeof value !== 'string') return [[option, `has no ${member}`]];
  const url = URL.canParse(value) ? new URL(value) : undefined;
  // On this machine, an app has the public URL of its deployment.
  if (url?.origin === origin || (isLoopback && url?.protocol === 'https:')) return [];
  const isSafe = url?.protocol === 'https:' || (isLoopback && url?.protocol === 'http:');
  return [
    [option, `has the ${member} ${clip(value)}, which is ${isSafe ? 'another origin' : 'no https: URL'}`],
  ];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const hasSecurityTxt = (facts: ScanFacts): boolean => {
  const answer = answerTo(facts, 'securityTxt');
  return answer.status === 200 && /^text\/plain/i.test(valueOf(answer, 'content-type'));
};

export const METADATA_RULES: readonly ScanRule[] = [
  {
    /** @see docs/mcp.md */
    id: 'ASEC-S100',
    severity: 'warning',
    section: 'metadata',
    title: 'OAuth metadata is not valid, or names another origin.',
    why: 'clients reject it, or send their credentials elsewhere (RFC 9728, section 3.3)',
    remedy: 'Set the public URL of the app (PUBLIC_URL).',
    find: facts => [
      ...metadataFaults(facts, 'resourceMetadata', 'resource'),
      ...metadataFaults(facts, 'serverMetadata', 'issuer'),
    ],
  },
  {
    /** @see docs/authentication.md */
    id: 'ASEC-S101',
    severity: 'note',
    section: 'metadata',
    title: 'A 401 has no challenge.',
    why: 'a client cannot tell how to authenticate (RFC 9110, section 11.6.1)',
    remedy: 'Send WWW-Authenticate.',
    find: facts =>
      (['page', 'mcp'] as const)
        .map(name => answerTo(facts, name))
        .some(answer => answer.status === 401 && valueOf(answer, 'www-authenticate') === '')
        ? [['WWW-Authenticate', 'is missing in a 401']]
        : [],
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-S102',
    severity: 'note',
    section: 'metadata',
    title: 'There is no security.txt.',
    why: 'a person who finds a vulnerability does not know whom to tell (RFC 9116)',
    remedy: 'Serve /.well-known/security.txt with Contact and Expires.',
    find: facts =>
      hasSecurityTxt(facts) || facts.target.isLoopback || answerTo(facts, 'securityTxt').status === 0
        ? []
        : [['security.txt', 'is missing']],
  },
  {
    /** @see docs/guides/deployment.md */
    id: 'ASEC-S103',
    severity: 'warning',
    section: 'metadata',
    title: 'The security.txt is not valid.',
    why: 'its reader cannot rely on it (RFC 9116, section 2.5)',
    remedy: 'Give Contact, and one Expires that lies ahead.',
    find: facts => {
      if (!hasSecurityTxt(facts)) return [];
      const { body } = answerTo(facts, 'securityTxt');
      const expires = [...body.matchAll(/^Expires:[ \t]*(\S{1,40})/gim)].map(([, time]) => Date.parse(time!));
      return [
        ...(/^Contact:[ \t]*\S/im.test(body) ? [] : [['security.txt', 'has no Contact'] as const]),
        ...(expires.length === 1 && expires[0]! > facts.nowMs
          ? []
          : [['security.txt', 'has no Expires that lies ahead'] as const]),
      ];
    },
  },
];
