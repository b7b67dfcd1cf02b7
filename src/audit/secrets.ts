/* What is a secret: by its form, whatever name stands beside it (`replaceShapes`), or by the name of its parameter, field or flag
 * (`isSecretName`). The forms are those that the issuers document and that the rules of gitleaks and secretlint publish, restated. They are
 * looked for only within long runs of characters that keys consist of, and each character of a run is read a bounded number of times. */

/** No form below is shorter, and few words of a language are that long. */
const LONG_RUN = /[\w.~+/=:$-]{16,}/g;

/** JSON Web Tokens (RFC 7519), signed, encrypted, without their signature, or cut off within a long header. One attempt for each run. */
const JWT = /(?<![\w-])eyJ[\w-]+(?:\.[\w-]{8,}(?:\.[\w-]*)*|$(?<=[\w-]{200}))/g;

/** Forms whose secret part stands behind something else than a fixed text. Each starts at most once in a word, or is short. */
const OTHERS: readonly RegExp[] = [
  // This module's API keys: of any prefix, and with the default prefix also without their end.
  /\bask_[0-9A-Za-z]{16}_[0-9A-Za-z]{8,}/g,
  /\b[a-z][a-z0-9]{1,15}_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\b/g,
  // Azure: client secret.
  /(?<![\w.~-])\w{3}\dQ~[\w.~-]{30,}/g,
  // Resend.
  /\bre_[0-9A-Za-z]{8}_[0-9A-Za-z]{20,}/g,
  // Mailchimp.
  /\b[0-9a-f]{32}-us\d{1,2}\b/g,
  // Telegram.
  /\b\d{8,10}:AA[\w-]{30,}/g,
  // Discord.
  /(?<![\w-])[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}/g,
  // Terraform.
  /\b\w{14}\.atlasv1\.[\w-]{30,}/g,
];

const ALPHANUMERIC = /[0-9A-Za-z]/;
const WORD = /\w/;
const DASHED = /[\w-]/;
const DOTTED = /[\w.-]/;
const BASE64 = /[\w+/=-]/;

type Form = readonly [characters: RegExp, minLength: number, prefixes: string];

/** So many characters of a kind behind a prefix are a secret; the prefixes are separated by blanks. */
const FORMS: readonly Form[] = [
  // AWS: access keys, Bedrock.
  [ALPHANUMERIC, 16, 'AKIA ASIA ABIA ACCA AROA A3TA A3TC A3TD A3TN'],
  [BASE64, 40, 'ABSK'],
  // Google: API key, OAuth tokens, client secret.
  [DASHED, 20, 'AIza ya29. 1//0 GOCSPX-'],
  // Alibaba, DigitalOcean, Fly, Databricks, Heroku, Cloudflare.
  [ALPHANUMERIC, 16, 'LTAI'],
  [ALPHANUMERIC, 30, 'dop_v1_ doo_v1_ dor_v1_ dapi'],
  [BASE64, 30, 'fo1_ fm1r_ fm2_ fm1a_ HRKU- v1.0-'],
  // GitHub, GitLab, Atlassian and Bitbucket.
  [WORD, 20, 'ghp_ gho_ ghu_ ghs_ ghr_ github_pat_'],
  [DOTTED, 10, 'glpat- gldt- glptt- glrt- glft- glimt- glagent- gloas- glsoat- glcbt- glffct-'],
  [BASE64, 16, 'GR1348941 ATATT3 ATCTT3 ATBB'],
  // Package registries: npm, PyPI, RubyGems, NuGet, crates.io, Docker, Artifactory.
  [ALPHANUMERIC, 30, 'npm_ rubygems_ oy2 cio AKCp'],
  [DASHED, 16, 'pypi-AgE dckr_pat_ dckr_oat_'],
  // Builds and deployment: SonarQube, CircleCI, Buildkite, Vercel, Netlify, Pulumi.
  [ALPHANUMERIC, 20, 'sqp_ squ_ sqa_ bkua_ vcp_ vci_ vca_ vcr_ vck_ nfp_ pul-'],
  [WORD, 16, 'CCIPAT_ vercel_blob_rw_'],
  // Models: OpenAI, Anthropic, OpenRouter, Langfuse, Hugging Face, Groq, xAI, Perplexity, Replicate, NVIDIA, LangSmith, Pinecone, Tavily,
  // E2B, Cerebras.
  [DASHED, 12, 'sk-proj- sk-ant- sk-svcacct- sk-admin- sk-or- sk-lf- sk-user- sk-org- pk-lf-'],
  [ALPHANUMERIC, 20, 'sk- pk- rk-'],
  [ALPHANUMERIC, 30, 'hf_ api_org_ gsk_ r8_ e2b_ csk-'],
  [DASHED, 20, 'xai- pplx- nvapi- lsv2_pt_ lsv2_sk_ pcsk_ tvly-'],
  // Payment and shops: Stripe, Square, Shopify, Razorpay, PayPal, Plaid.
  [WORD, 10, 'sk_live_ sk_test_ sk_prod_ pk_live_ pk_test_ pk_prod_ rk_live_ rk_test_ rk_prod_'],
  [BASE64, 20, 'whsec_ sq0atp- sq0csp- sq0idp- EAAA'],
  [ALPHANUMERIC, 30, 'shpat_ shpca_ shppa_ shpss_'],
  [ALPHANUMERIC, 14, 'rzp_live_ rzp_test_ access_token$production$ access_token$sandbox$'],
  [DASHED, 30, 'access-sandbox- access-development- access-production-'],
  // Mail, chat and social: Slack, SendGrid, Twilio, Mailgun, Brevo, Discord, Meta.
  [DOTTED, 10, 'xoxa- xoxb- xoxe- xoxe. xoxo- xoxp- xoxr- xoxs- xapp-'],
  [/[\w/]/, 20, 'hooks.slack.com/services/ hooks.slack.com/workflows/ hooks.slack.com/triggers/'],
  [/[\w/-]/, 40, 'discord.com/api/webhooks/ discordapp.com/api/webhooks/'],
  [DOTTED, 40, 'SG.'],
  [/[0-9a-f]/, 32, 'SK key-'],
  [ALPHANUMERIC, 40, 'xkeysib- EAA'],
  // Operations: Vault, Doppler, 1Password, age, Grafana, Sentry, New Relic, Dynatrace, Tailscale.
  [DASHED, 20, 'hvs. hvb. hvr. NRAK- tskey-'],
  [DOTTED, 24, 'dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit. dt0c01. dt0s01. dt0s02. dt0s16.'],
  [BASE64, 20, 'ops_eyJ glsa_ glc_ sntrys_ sntryu_'],
  [ALPHANUMERIC, 40, 'AGE-SECRET-KEY-1'],
  // Data and work: Supabase, PlanetScale, Postman, Linear, Notion, Figma, Airtable, Typeform, Contentful.
  [DASHED, 20, 'sb_secret_ PMAK- figd_ figo_ figu_ figdr_'],
  [DOTTED, 20, 'pscale_tkn_ pscale_oauth_ pscale_pw_'],
  [ALPHANUMERIC, 30, 'sbp_ lin_api_ lin_oauth_ ntn_'],
  [ALPHANUMERIC, 43, 'secret_'],
  [/[\w.]/, 50, 'pat'],
  [DASHED, 30, 'tfp_ CFPAT-'],
];

interface Prefix {
  readonly text: string;
  /** By code unit, whether it may stand behind the prefix. */
  readonly characters: readonly boolean[];
  readonly minLength: number;
}

type Prefixes = ReadonlyMap<number, readonly Prefix[]>;

/** Read from FORMS on first use, since the start of an app should not wait for it. */
let prefixesByStart: Prefixes | undefined;

/** The prefixes by their first two code units, so that a place where no form begins costs one look. */
function readPrefixes(): Prefixes {
  const found = new Map<number, Prefix[]>();
  for (const [kind, minLength, prefixes] of FORMS) {
    const characters = Array.from({ length: 128 }, (_, unit) => kind.test(String.fromCharCode(unit)));
    for (const text of prefixes.split(' ')) {
      const start = startAt(text, 0);
      found.set(start, [...(found.get(start) ?? []), { text, characters, minLength }]);
    }
  }
  return found;
}

function startAt(text: string, index: number): number {
  return (text.charCodeAt(index) << 8) | text.charCodeAt(index + 1);
}

/** The text with every key and token of a known form replaced. */
export function replaceShapes(text: string, replacement: string): string {
  return text.replace(LONG_RUN, run => {
    let shown = replaceForms(run.replace(JWT, replacement), replacement);
    for (const other of OTHERS) shown = shown.replace(other, replacement);
    return shown;
  });
}

function replaceForms(run: string, replacement: string): string {
  const byStart = (prefixesByStart ??= readPrefixes());
  let shown = '';
  let from = 0;
  let isInWord = false;
  for (let index = 0; index < run.length - 1; index++) {
    const unit = run.charCodeAt(index);
    const isWord = isWordUnit(unit);
    const prefixes = isInWord || !isWord ? undefined : byStart.get(startAt(run, index));
    isInWord = isWord;
    if (prefixes === undefined) continue;
    const end = endOfForm(run, index, prefixes);
    if (end === -1) continue;
    shown += run.slice(from, index) + replacement;
    from = end;
    index = end - 1;
    isInWord = true;
  }
  return from === 0 ? run : shown + run.slice(from);
}

/** Where the secret that begins at a place ends, or -1. A failed attempt reads no more than a form's shortest secret. */
function endOfForm(run: string, index: number, prefixes: readonly Prefix[]): number {
  for (const { text, characters, minLength } of prefixes) {
    if (!run.startsWith(text, index)) continue;
    const begin = index + text.length;
    let end = begin;
    while (end < run.length && characters[run.charCodeAt(end)] === true) end++;
    if (end - begin >= minLength) return end;
  }
  return -1;
}

/** A digit, a letter or `_`: a form begins where a word does. */
function isWordUnit(unit: number): boolean {
  return (
    (unit >= 0x61 && unit <= 0x7a) ||
    (unit >= 0x41 && unit <= 0x5a) ||
    (unit >= 0x30 && unit <= 0x39) ||
    unit === 0x5f
  );
}

/** Longer names are compared by their beginning. */
export const MAX_NAME = 128;

/** `api_key`, `apiKey` and `API-Key` are one name. */
export function normalizeKey(key: string): string {
  return key.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Every name of a secret holds one of these; most names hold none. */
const HINT =
  /pass|pwd|pin|otp|mfa|cv[cv]|csc|card|pan|ssn|iban|bearer|sig|sid|seed|dsn|secret|key|cred|auth|cookie|session|connection|code|phrase|words|mnemonic|assertion|token|jwt/i;
/** Wherever they occur in a name. */
const SECRET_PARTS =
  /passw(?:or)?d|passphrase|passcode|secret|apikey|privatekey|accesskey|accountkey|signingkey|encryptionkey|masterkey|sharedkey|subscriptionkey|servicekey|credential|authorization|cookie|sessionid|sessionkey|connectionstring|(?:recovery|backup|mfa|otp|2fa|twofactor|onetime|verification|security|auth|login)codes?$|seedphrase|seedwords|recoveryphrase|mnemonic|authkey|clientassertion/;
/** `token`, `accessTokens`, `csrf_token`, `idToken`. */
const SECRET_ENDS = /(?:tokens?|jwts?)$/;
/** Numbers of tokens, not tokens: `maxTokens`, `prompt_tokens`, `totaltokens`. */
const COUNT_WORDS =
  /(?:^|[^a-z])(?:max|min|num|number|count|total|sum|used|limit|budget|remaining|input|output|prompt|completion|cached|reasoning|thinking|context|generated|new|of|per|stop|special|estimated)(?:[^a-z]|tokens$)/;
const SECRET_NAMES: ReadonlySet<string> = new Set(
  'pwd pass pin otp totp mfa cvv cvv2 cvc cvc2 csc cardnumber pan ssn iban bearer signature sig sid assertion seed privkey dsn'.split(
    ' ',
  ),
);
/** As the last word of a name: `db_pass`, `MYSQL_PWD`, `cardPin`. */
const SECRET_LAST_WORDS = /[^a-z0-9](?:pwd|pass|pin|otp|totp|cvv|cvc)$/;

/** @param more names of the tool or of the options, as `normalizeKey` writes them */
export function isSecretName(name: string, more: ReadonlySet<string>): boolean {
  const text = name.length > MAX_NAME ? name.slice(0, MAX_NAME) : name;
  if (more.size === 0 && !HINT.test(text)) return false;
  const normal = normalizeKey(text);
  const words = text.replace(/[a-z0-9](?=[A-Z])/g, '$&_').toLowerCase();
  return (
    SECRET_NAMES.has(normal) ||
    SECRET_PARTS.test(normal) ||
    (SECRET_ENDS.test(normal) && !(normal.endsWith('tokens') && COUNT_WORDS.test(words))) ||
    SECRET_LAST_WORDS.test(words) ||
    more.has(normal)
  );
}
