/* MCP endpoints: Streamable HTTP of the versions 2025-11-25 and 2026-07-28. */
import type { Faults } from '../../check/check.js';
import { answerTo, type ScanFacts } from '../facts.js';
import type { ProbeName } from '../probes.js';
import type { ScanRule } from '../rule.js';

/** Whether a message got what it gets without the attack: a result, or the challenge that the endpoint gives everybody. */
const accepted = (facts: ScanFacts, name: ProbeName, what: string): Faults => {
  const { status, body } = answerTo(facts, name);
  // A JSON-RPC error of a server that has no other status.
  const isError = /^\s{0,9}\{/.test(body) && body.includes('"error"') && !body.includes('"result"');
  const isAccepted =
    (status >= 200 && status < 300 && !isError) ||
    (status === 401 && status === answerTo(facts, 'mcp').status);
  return isAccepted ? [['The MCP endpoint', `answers ${status} to ${what}`]] : [];
};

const ifOk = (facts: ScanFacts, name: ProbeName, what: string): Faults =>
  answerTo(facts, name).status === 401 ? [] : accepted(facts, name, what);

export const MCP_RULES: readonly ScanRule[] = [
  {
    /** @see docs/mcp.md */
    id: 'ASEC-S090',
    severity: 'error',
    section: 'mcp',
    title: 'The MCP endpoint accepts a foreign origin.',
    why: 'every site can call the tools of a server in the network of its visitor',
    remedy: 'Answer 403 to an Origin that is not listed, on every method.',
    find: facts => accepted(facts, 'mcpOrigin', 'a foreign Origin'),
  },
  {
    /** @see docs/mcp.md */
    id: 'ASEC-S091',
    severity: 'error',
    section: 'mcp',
    title: 'The MCP endpoint accepts a foreign host.',
    why: 'DNS rebinding makes an attacker’s page one of the same origin (CVE-2025-66414)',
    remedy: 'Accept the hosts of the server only.',
    find: facts => accepted(facts, 'mcpHost', 'a foreign Host'),
  },
  {
    /** @see docs/mcp.md */
    id: 'ASEC-S092',
    severity: 'warning',
    section: 'mcp',
    title: 'The MCP endpoint accepts an unknown version.',
    why: 'client and server can read one message by different rules',
    remedy: 'Answer 400 to an MCP-Protocol-Version that is not supported.',
    find: facts => ifOk(facts, 'mcpVersion', 'the version 1999-01-01'),
  },
  {
    /** @see docs/mcp.md */
    id: 'ASEC-S093',
    severity: 'warning',
    section: 'mcp',
    title: 'The MCP endpoint accepts headers that contradict the message.',
    why: 'a proxy that decides by Mcp-Method decides about another message',
    remedy: 'Answer 400 with the error -32020.',
    find: facts => ifOk(facts, 'mcpMismatch', 'a message whose Mcp-Method is another'),
  },
  {
    /** @see docs/mcp.md */
    id: 'ASEC-S094',
    severity: 'note',
    section: 'mcp',
    title: 'The MCP endpoint needs no credential.',
    why: 'everybody who reaches the endpoint learns what its tools can do',
    remedy: 'Require a credential, unless the tools are public.',
    find: facts => ifOk(facts, 'mcp', 'a message without a credential'),
  },
];
