/* Names whose values are secrets: of parameters, of fields, of command-line flags and of assignments within a text. */

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
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'pwd',
  'pass',
  'pin',
  'otp',
  'totp',
  'mfa',
  'cvv',
  'cvv2',
  'cvc',
  'cvc2',
  'csc',
  'cardnumber',
  'pan',
  'ssn',
  'iban',
  'bearer',
  'signature',
  'sig',
  'sid',
  'assertion',
  'seed',
  'privkey',
  'dsn',
]);
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
