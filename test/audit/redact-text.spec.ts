import { redact } from '../../src/audit/redact.js';
import { redactText } from '../../src/audit/redact-text.js';
import { isSecretName } from '../../src/audit/secrets.js';
import { createApiKey } from '../../src/auth/api-key.js';

// Built here, so that no scanner of this repository finds a key in it.
const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const alnum = (length: number): string =>
  Array.from({ length }, (_, index) => DIGITS[(index * 7 + 3) % 62]!).join('');
const upper = (length: number): string => alnum(length).toUpperCase();
const hex = (length: number): string =>
  Array.from({ length }, (_, index) => '0123456789abcdef'[(index * 5 + 3) % 16]!).join('');
const join = (...parts: string[]): string => parts.join('');

const JWT = `eyJ${alnum(33)}.eyJ${alnum(60)}.${alnum(43)}`;

/** Replaced as a whole, wherever they stand in a text. */
const secrets: readonly [title: string, text: string][] = [
  ['this module', createApiKey('ask').text],
  ['this module, another prefix', createApiKey('acme2').text],
  ['this module, cut', createApiKey('ask').text.slice(0, 40)],
  ['a JSON Web Token', JWT],
  ['a JSON Web Token without signature', JWT.slice(0, JWT.lastIndexOf('.'))],
  ['a JWE', `eyJ${alnum(33)}.${alnum(60)}.${alnum(16)}.${alnum(90)}.${alnum(22)}`],
  ['AWS access key', join('AKIA', upper(16))],
  ['AWS temporary key', join('ASIA', upper(16))],
  ['AWS Bedrock', join('ABSK', alnum(110))],
  ['Google API key', join('AIza', alnum(35))],
  ['Google OAuth token', join('ya29.', alnum(40))],
  ['Google refresh token', join('1//0', alnum(40))],
  ['Google client secret', join('GOCSPX-', alnum(28))],
  ['Azure client secret', join('abc8Q~', alnum(34))],
  ['Alibaba', join('LTAI', alnum(20))],
  ['DigitalOcean', join('dop_v1_', hex(64))],
  ['Databricks', join('dapi', hex(32))],
  ['Heroku', join('HRKU-', alnum(36))],
  ['GitHub', join('ghp_', alnum(36))],
  ['GitHub app', join('ghs_', alnum(36))],
  ['GitHub fine-grained', join('github_pat_', alnum(22), '_', alnum(59))],
  ['GitLab', join('glpat-', alnum(20))],
  ['GitLab runner', join('glrt-', alnum(20))],
  ['Atlassian', join('ATATT3', alnum(60))],
  ['npm', join('npm_', alnum(36))],
  ['PyPI', join('pypi-AgEIcHlwaS5vcmc', alnum(60))],
  ['RubyGems', join('rubygems_', hex(48))],
  ['Docker', join('dckr_pat_', alnum(27))],
  ['SonarQube', join('squ_', hex(40))],
  ['Pulumi', join('pul-', hex(40))],
  ['Terraform', join(alnum(14), '.atlasv1.', alnum(60))],
  ['OpenAI', join('sk-', alnum(48))],
  ['OpenAI project', join('sk-proj-', alnum(60))],
  ['Anthropic', join('sk-ant-api03-', alnum(90), '-', alnum(4))],
  ['OpenRouter', join('sk-or-v1-', hex(64))],
  ['Hugging Face', join('hf_', alnum(34))],
  ['Groq', join('gsk_', alnum(52))],
  ['xAI', join('xai-', alnum(80))],
  ['Perplexity', join('pplx-', alnum(48))],
  ['Replicate', join('r8_', alnum(37))],
  ['NVIDIA', join('nvapi-', alnum(64))],
  ['LangSmith', join('lsv2_pt_', hex(32), '_', hex(10))],
  ['Stripe', join('sk_live_', alnum(24))],
  ['Stripe restricted', join('rk_test_', alnum(24))],
  ['Stripe webhook', join('whsec_', alnum(32))],
  ['Square', join('sq0atp-', alnum(22))],
  ['Shopify', join('shpat_', hex(32))],
  ['Razorpay', join('rzp_live_', alnum(14))],
  ['Slack bot', join('xoxb-', '123456789012-', alnum(24))],
  ['Slack app', join('xapp-1-A0-1-', hex(40))],
  ['Slack webhook', join('hooks.slack.com/services/', 'T00000000/B00000000/', alnum(24))],
  ['SendGrid', join('SG.', alnum(22), '.', alnum(43))],
  ['Twilio', join('SK', hex(32))],
  ['Mailgun', join('key-', hex(32))],
  ['Mailchimp', join(hex(32), '-us12')],
  ['Brevo', join('xkeysib-', hex(64), '-', alnum(16)).slice(0, 72)],
  ['Telegram', join('123456789:AA', alnum(33))],
  ['Discord', join('M', alnum(25), '.', alnum(6), '.', alnum(38))],
  ['Vault', join('hvs.', alnum(90))],
  ['Doppler', join('dp.pt.', alnum(43))],
  ['Grafana', join('glsa_', alnum(32), '_', hex(8))],
  ['Sentry', join('sntrys_', alnum(60))],
  ['New Relic', join('NRAK-', upper(27))],
  ['Supabase', join('sbp_', hex(40))],
  ['PlanetScale', join('pscale_tkn_', alnum(43))],
  ['Postman', join('PMAK-', hex(24), '-', hex(34))],
  ['Linear', join('lin_api_', alnum(40))],
  ['Notion', join('ntn_', alnum(46))],
  ['Figma', join('figd_', alnum(40))],
  ['Airtable', join('pat', alnum(14), '.', hex(64))],
  ['Tailscale', join('tskey-auth-', alnum(30))],
  ['a private key', `-----BEGIN OPENSSH PRIVATE KEY-----\n${alnum(60)}\n-----END OPENSSH PRIVATE KEY-----`],
  ['a PGP private key', '-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----'],
  ['a bearer token', 'Bearer abcdefgh12345678'],
  ['Basic credentials', 'Basic dXNlcjpwYXNzd29yZA=='],
  ['a card', '4111111111111111'],
];

describe('what is known by its form is replaced', () => {
  it.each(secrets)('%s', (_title, secret) => {
    expect(redactText(`use ${secret}, please`)).toBe('use [redacted], please');
    expect(redactText(`url=${secret}`)).toBe('url=[redacted]');
    expect(redactText(secret)).toBe('[redacted]');
  });
});

describe('what is known by its name or its place is replaced', () => {
  it.each<[title: string, text: string, shown: string]>([
    ['a query', '/x?a=1&password=hunter2&b=2', '/x?a=1&password=[redacted]&b=2'],
    ['a query of a session', '/x?sessionId=abc123&b=2', '/x?sessionId=[redacted]&b=2'],
    [
      'an encoded query',
      'next=%2Fx%3Fpassword%3Dhunter2%26b%3D2',
      'next=%2Fx%3Fpassword%3D[redacted]%26b%3D2',
    ],
    ['an encoded query, behind another', 'a%3D1%26pwd%3Dhunter2', 'a%3D1%26pwd%3D[redacted]'],
    ['a query encoded twice', 'a%253D1%2526token%253Dabc123', 'a%253D1%2526token%253D[redacted]'],
    [
      'a file of credentials',
      'aws_secret_access_key = wJalrXUtnFEMI/K7',
      'aws_secret_access_key = [redacted]',
    ],
    ['an environment', 'export DB_PASS=hunter2', 'export DB_PASS=[redacted]'],
    ['an environment of MySQL', 'MYSQL_PWD=hunter2 mysql', 'MYSQL_PWD=[redacted] mysql'],
    ['JSON', '{"password": "hunter2", "a": 1}', '{"password": "[redacted]", "a": 1}'],
    [
      'JSON with blanks in the value',
      '{"passphrase":"correct horse, battery"}',
      '{"passphrase":"[redacted]"}',
    ],
    ['JSON in JSON', '{\\"apiKey\\":\\"abc123\\"}', '{\\"apiKey\\":\\"[redacted]"}'],
    ['JSON that was cut', '{"client_secret":"abc def', '{"client_secret":"[redacted]'],
    ['single quotes', "password='a b c' x", "password='[redacted]' x"],
    ['YAML', 'user: bob\npassword: hunter2\n', 'user: bob\npassword: [redacted]\n'],
    ['Ruby', ":password => 'abc'", ":password => '[redacted]'"],
    ['a flag', 'deploy --password=hunter2 --env prod', 'deploy --password=[redacted] --env prod'],
    [
      'a flag and its value',
      'deploy --password hunter2 --env prod',
      'deploy --password [redacted] --env prod',
    ],
    ['a flag and a quoted value', 'x --api-key "a b" y', 'x --api-key "[redacted]" y'],
    ['curl', 'curl -u bob:hunter2 https://x.test', 'curl -u bob:[redacted] https://x.test'],
    ['a header', 'Authorization: Digest username="bob"', 'Authorization: [redacted]"bob"'],
    ['a line of cookies', 'Cookie: a=b; c=d\nAccept: */*', 'Cookie: [redacted]\nAccept: */*'],
    ['a URL', 'postgres://app:hunter2@db.test/x', 'postgres://app:[redacted]@db.test/x'],
    ['a URL without a user', 'redis://:hunter2@db.test:6379', 'redis://:[redacted]@db.test:6379'],
    ['a URL whose password has an @', 'amqp://app:a@b@mq.test/', 'amqp://app:[redacted]@mq.test/'],
    ['Azure storage', 'AccountName=x;AccountKey=abc123==;E=1', 'AccountName=x;AccountKey=[redacted];E=1'],
    ['ODBC', 'Server=db;Uid=app;Pwd=hunter2;', 'Server=db;Uid=app;Pwd=[redacted];'],
    ['a SAS', 'https://x.test/a?sv=2024&sig=abc%2Fdef%3D', 'https://x.test/a?sv=2024&sig=[redacted]'],
  ])('%s', (_title, text, shown) => expect(redactText(text)).toBe(shown));
});

describe('what only resembles a secret stays readable', () => {
  it.each([
    'The token bucket holds 10.',
    'basic authentication',
    'token validation failed',
    'max_tokens=4096',
    'promptTokens: 1200',
    'npm_config_registry=https://registry.example',
    'npm_lifecycle_event',
    'sk-learn-model-selection',
    'sk_learn_model_selection_example',
    'ask_before_deleting_anything_here',
    'pypi-package-name-of-something',
    'hf_hub_download_something_large',
    're_compiled_pattern_of_something',
    'secret_santa_list_of_participants',
    'pattern-matching-for-everyone',
    'SKU-1234567890123456',
    'key-value-store-of-something-else',
    '5f0c2a4e-3d1b-4a52-9a39-6d0c8e3d2a11',
    '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    'sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg==',
    'eyJpZCI6MTIzLCJwYWdlIjoyfQ',
    'docker run -u 1000:1000 image',
    'http://localhost:8080/a@b',
    'mailto:someone@example.com',
    '2026-01-01T10:20:30.000Z',
    '1795418428006',
    '4111111111111112',
    'author: Jane, keyword: parser',
    'git commit --no-verify -m "fix: parser"',
    'src/components/authentication/LoginForm.tsx',
    'https://example.com/articles/how-to-write-good-documentation?page=2&sort=name',
    'arn:aws:iam::123456789012:role/reader',
    'https://[::1]:8080/path',
    '',
  ])('%s', text => expect(redactText(text)).toBe(text));
});

describe('names', () => {
  const NONE: ReadonlySet<string> = new Set();
  it.each([
    'sessionId',
    'Mcp-Session-Id',
    'mfaCode',
    'recovery_code',
    'recoveryCodes',
    'seedPhrase',
    'connectionString',
    'tokens',
    'accessTokens',
    'passcode',
    'authToken',
    'db_pass',
    'adminTokens',
    'newPasswordToken',
    'dbPass',
    'cardPin',
    'AccountKey',
    'backupCodes',
    'verification-code',
    'sharedKey',
  ])('%s is secret', name => expect(isSecretName(name, NONE)).toBe(true));

  it.each([
    'maxTokens',
    'max_output_tokens',
    'promptTokens',
    'totalTokens',
    'maxtokens',
    'total_used_tokens',
    'tokenizer',
    'session',
    'code',
    'postalCode',
    'errorCode',
    'zip_code',
    'bypass',
    'compass',
    'shippingAddress',
    'sortKey',
    'publicKey',
    'idempotencyKey',
    'connection',
    'design',
    'assigned',
    'expand',
    'keyCode',
  ])('%s is not', name => expect(isSecretName(name, NONE)).toBe(false));
});

describe('objects and lists that name a secret', () => {
  const shownOf = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(redact(value, { keys: new Set(['nickname']), patterns: [], maxChars: 16_384 })),
    );
  it.each<[title: string, value: unknown, shown: unknown]>([
    ['name and value', { name: 'password', value: 'x' }, { name: 'password', value: '[redacted]' }],
    ['value before name', { value: 'x', name: 'api_key' }, { value: '[redacted]', name: 'api_key' }],
    ['AWS tags', { Key: 'DbPassword', Value: 'x' }, { Key: 'DbPassword', Value: '[redacted]' }],
    ['a form field', { field: 'otp', content: '1' }, { field: 'otp', content: '[redacted]' }],
    ['a name of the tool', { key: 'nickname', value: 'x' }, { key: 'nickname', value: '[redacted]' }],
    ['another name', { name: 'city', value: 'Bern' }, { name: 'city', value: 'Bern' }],
    ['arguments', ['x', '--password', 'y', 'z'], ['x', '--password', '[redacted]', 'z']],
    ['arguments with =', ['x', '--password=abc', 'z'], ['x', '--password=[redacted]', 'z']],
    ['a flag without a value', ['--password', '--verbose'], ['--password', '--verbose']],
    [
      'pairs',
      [
        ['Authorization', 'x'],
        ['a', 'b'],
      ],
      [
        ['Authorization', '[redacted]'],
        ['a', 'b'],
      ],
    ],
    ['names of fields', ['password', 'email'], ['password', 'email']],
    ['a name of the tool in a text', 'nickname=abc&x=1', 'nickname=[redacted]&x=1'],
  ])('%s', (_title, value, shown) => expect(shownOf(value)).toEqual(shown));
});
