/* Chromium for specs about pages. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const CHROMIUM = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const isMissing = !existsSync(CHROMIUM);

/** `describe`, or `describe.skip` where there is no Chromium. */
export function describeInChromium(spec: string): jest.Describe {
  if (!isMissing) return describe;
  if (process.env['REQUIRE_ALL_SUITES'])
    throw new Error(`There is no Chromium at ${CHROMIUM}: set CHROMIUM_PATH`);
  process.stderr.write(`SKIPPED: ${spec}, there is no Chromium at ${CHROMIUM} (CHROMIUM_PATH)\n`);
  return describe.skip;
}

export const launchChromium = (...more: readonly string[]): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, headless: true, args: [...ARGUMENTS, ...more] });

export interface OpenedPage {
  readonly page: Page;
  /** Errors and warnings of the console, and errors of scripts. */
  readonly complaints: string[];
}

/** Opens a page in a context of its own. */
export async function openPage(browser: Browser, url: string): Promise<OpenedPage> {
  const page = await (await browser.newContext()).newPage();
  const complaints: string[] = [];
  page.on('console', message => {
    // Chromium requests a favicon by itself at some time.
    const isIcon = message.location().url.endsWith('/favicon.ico');
    if (['error', 'warning'].includes(message.type()) && !isIcon) complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(String(error)));
  await page.goto(url);
  return { page, complaints };
}

/** Runs the body of an async function in a page. */
export const runIn = <T>(page: Page, body: string): Promise<T> =>
  page.evaluate<T>(`(async () => { ${body} })()`);
