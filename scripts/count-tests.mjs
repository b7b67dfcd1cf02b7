#!/usr/bin/env node
/*
 * Prints how many tests of a run of Jest passed and failed, and appends the failures to a file: node scripts/count-tests.mjs JEST_JSON FILE
 * A suite that could not run is one failure.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const MAX_MESSAGE = 600;

const [results, failures] = process.argv.slice(2);
const run = JSON.parse(readFileSync(results, 'utf8'));
const failed = run.testResults.flatMap(({ name, status, message, assertionResults }) => {
  const file = relative('.', name);
  const tests = assertionResults.filter(test => test.status === 'failed');
  if (tests.length === 0) return status === 'failed' ? [[file, message]] : [];
  return tests.map(({ fullName, failureMessages }) => [`${file}: ${fullName}`, failureMessages.join('\n')]);
});
for (const [title, message] of failed)
  appendFileSync(
    failures,
    `== FAILED ${title}\n${stripVTControlCharacters(message).slice(0, MAX_MESSAGE)}\n`,
  );
process.stdout.write(`${run.numPassedTests} ${run.numFailedTests + run.numRuntimeErrorTestSuites}\n`);
