/* The page of the dashboard. What comes from the app is text: there is no markup, and the policy of the page allows none. */
const $ = id => document.getElementById(id);
const base = location.pathname;
const STORED = 'agent-security:key';
const MINUTE = 60_000;

let key = sessionStorage.getItem(STORED) ?? '';
let last;
let configuration = { actions: {} };
let isPaused = false;
let isByPolicy = false;
let session = 0;
let reading = new AbortController();

/* ---- elements ---- */

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') node.addEventListener(name, value);
    else if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat(2).filter(child => child !== undefined && child !== ''));
  return node;
}
const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);

const shown = new Map();
/** Replaces the content of a section if its data has changed, and keeps the focus where it was. */
function show(id, data, build) {
  const text = JSON.stringify(data);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  const node = $(id);
  const focused = node.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const open = [...node.querySelectorAll('details[open]')].map(each => each.dataset.key);
  const scrolled = node.querySelector('.scroll')?.scrollTop ?? 0;
  node.replaceChildren(...[build()].flat());
  for (const each of node.querySelectorAll('details')) each.open = open.includes(each.dataset.key);
  const scroll = node.querySelector('.scroll');
  if (scroll) scroll.scrollTop = scrolled;
  if (focused !== undefined) node.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

/* ---- words ---- */

const number = new Intl.NumberFormat('en');
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const exact = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const percent = share => `${share > 0 && share < 0.1 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`;
const time = ms => el('time', { datetime: new Date(ms).toISOString(), class: 'nowrap' }, exact.format(ms));
const soft = text => el('p', { class: 'soft' }, text);
const sum = (rows, of) => rows.reduce((total, row) => total + of(row), 0);

/* ---- tables ---- */

/** @param columns lists of a name, a function from a row to what stands in the cell, and a class */
function table(name, columns, rows) {
  const cell = (row, [label, read, kind]) =>
    el('td', { role: 'cell', 'data-label': label, class: kind }, [read(row) ?? ''].flat());
  return el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': name, 'data-key': `table ${name}` },
    el(
      'table',
      { role: 'table', 'aria-label': name },
      el(
        'thead',
        { role: 'rowgroup' },
        el(
          'tr',
          { role: 'row' },
          columns.map(([label, , kind]) =>
            el('th', { role: 'columnheader', scope: 'col', class: kind }, label),
          ),
        ),
      ),
      el(
        'tbody',
        { role: 'rowgroup' },
        rows.map(row =>
          el(
            'tr',
            { role: 'row' },
            columns.map(column => cell(row, column)),
          ),
        ),
      ),
    ),
  );
}

/** A text that searches for itself. */
const finder = text =>
  text === undefined
    ? undefined
    : el(
        'button',
        {
          class: 'link',
          type: 'button',
          'data-key': `find ${text}`,
          title: 'Search',
          click: () => search(text),
        },
        text,
      );

const client = ({ agent, address }) =>
  agent === undefined
    ? finder(address)
    : [finder(agent), ' ', address === undefined ? undefined : el('small', {}, address)];

/* ---- charts ---- */

const COLORS = [0, 1, 2, 3, 4];
const HEIGHT = 170;
const LEFT = 38;
const BOTTOM = 20;

/** A round number from `max` on, that three lines divide. */
function ceiling(max) {
  const step = 10 ** Math.floor(Math.log10(Math.max(max, 3) / 3));
  for (const factor of [1, 2, 3, 4, 5, 6, 8, 10]) if (factor * step * 3 >= max) return factor * step * 3;
  return max;
}

/** Stacked bars, one for each minute of the last hour; their table stands below. */
function chart(id, name, minutes, series) {
  const total = sum(series, ({ counts }) => sum(counts, count => count));
  const top = ceiling(Math.max(...minutes.map((_minute, at) => sum(series, ({ counts }) => counts[at]))));
  const width = Math.max($(id).clientWidth, 240);
  const slot = (width - LEFT) / minutes.length;
  const y = count => 8 + (HEIGHT - BOTTOM - 8) * (1 - count / top);
  const lines = [0, 1, 2, 3].map(part => {
    const count = (top / 3) * part;
    return [
      svg('line', { x1: LEFT, x2: width, y1: y(count), y2: y(count) }),
      svg('text', { x: LEFT - 6, y: y(count) + 4, 'text-anchor': 'end' }, number.format(count)),
    ];
  });
  const bars = minutes.map((startMs, at) => {
    const x = LEFT + at * slot;
    let stacked = 0;
    const said = series
      .filter(({ counts }) => counts[at] > 0)
      .map(({ label, counts }) => `${label}: ${counts[at]}`);
    return svg(
      'g',
      {},
      svg('title', {}, [clock.format(startMs), ...(said.length > 0 ? said : ['nothing'])].join('\n')),
      svg('rect', { class: 'zone', x, y: 8, width: slot, height: HEIGHT - BOTTOM - 8 }),
      series.map(({ counts, color }) => {
        if (counts[at] === 0) return undefined;
        const from = y(stacked);
        stacked += counts[at];
        const height = Math.max(from - y(stacked), 1);
        return svg('rect', {
          class: `s${color}`,
          x: x + 0.5,
          y: from - height,
          width: Math.max(slot - 1.5, 1),
          height,
        });
      }),
      startMs % (15 * MINUTE) === 0 && at > 2 && at < 57
        ? svg('text', { x: x + slot / 2, y: HEIGHT - 4, 'text-anchor': 'middle' }, clock.format(startMs))
        : undefined,
    );
  });
  const used = minutes
    .map((startMs, at) => ({ startMs, at }))
    .filter(({ at }) => series.some(({ counts }) => counts[at] > 0));
  return [
    svg(
      'svg',
      {
        class: 'chart',
        role: 'img',
        viewBox: `0 0 ${width} ${HEIGHT}`,
        'aria-label': `${name}: ${number.format(total)} in the last hour`,
      },
      lines,
      bars,
    ),
    el(
      'ul',
      { class: 'legend' },
      series.map(({ label, counts, color }) =>
        el(
          'li',
          {},
          el('i', { class: `s${color}` }),
          `${label} `,
          el('b', {}, number.format(sum(counts, count => count))),
        ),
      ),
    ),
    el(
      'details',
      { 'data-key': id },
      el('summary', {}, 'As a table'),
      table(
        name,
        [
          ['Minute', ({ startMs }) => clock.format(startMs)],
          ...series.map(({ label, counts }) => [label, ({ at }) => number.format(counts[at]), 'n']),
        ],
        used.toReversed(),
      ),
    ),
  ];
}

const countOf = (list, isCounted) =>
  sum(
    list.filter(([name]) => isCounted(name)),
    ([, count]) => count,
  );

/** By name: a name keeps its color while it is shown. */
const colors = new Map();
function paint(names) {
  for (const name of colors.keys()) if (!names.includes(name)) colors.delete(name);
  for (const name of names)
    if (!colors.has(name))
      colors.set(
        name,
        COLORS.find(color => ![...colors.values()].includes(color)),
      );
}

/** The names with the highest counts, and the rest as one. */
function toSeries(lists) {
  const totals = new Map();
  for (const [name, count] of lists.flat()) totals.set(name, (totals.get(name) ?? 0) + count);
  const names = [...totals].toSorted((a, b) => b[1] - a[1]).map(([name]) => name);
  const own = names.slice(0, COLORS.length);
  paint(own);
  const series = own.map(label => ({
    label,
    color: colors.get(label),
    counts: lists.map(list => countOf(list, name => name === label)),
  }));
  const rest = lists.map(list => countOf(list, name => !own.includes(name)));
  return own.length < names.length ? [...series, { label: 'other', color: 5, counts: rest }] : series;
}

/* ---- sections ---- */

const HEALTH_KIND = { ok: 'good', failing: 'bad', off: 'soft' };

function render(data) {
  last = data;
  const now = data.timeMs - (data.timeMs % MINUTE);
  const starts = Array.from({ length: 60 }, (_, index) => now - (59 - index) * MINUTE);
  const byStart = new Map(data.minutes.map(minute => [minute.startMs, minute]));
  const minutes = starts.map(
    startMs => byStart.get(startMs) ?? { requests: 0, rejections: 0, codes: [], policies: [] },
  );
  renderTiles(data, minutes);
  const width = $('requests').clientWidth;
  show(
    'requests',
    [width, starts[0], minutes.map(({ requests, rejections }) => [requests, rejections])],
    () =>
      chart('requests', 'Requests per minute', starts, [
        {
          label: 'accepted',
          color: 0,
          counts: minutes.map(({ requests, rejections }) => Math.max(requests - rejections, 0)),
        },
        { label: 'rejected', color: 1, counts: minutes.map(({ rejections }) => rejections) },
      ]),
  );
  const lists = minutes.map(({ codes, policies }) => (isByPolicy ? policies : codes));
  show('rejected', [width, starts[0], isByPolicy, lists], () =>
    lists.flat().length === 0
      ? soft(
          isByPolicy
            ? 'No limit has denied a request in the last hour.'
            : 'No request was rejected in the last hour.',
        )
      : chart('rejected', `Rejections by ${isByPolicy ? 'limit' : 'code'}`, starts, toSeries(lists)),
  );
  show('clients', [data.clients, configuration.actions], () => renderClients(data.clients));
  show('called', data.tools, () =>
    data.tools.length === 0
      ? soft('No tool was called in the last hour.')
      : table('Tools', TOOL_COLUMNS, data.tools),
  );
  show('rejections', data.rejections, () => renderRejections(data.rejections));
  show('audit', data.audit, () => renderAudit(data.audit));
  show('health', data.health, () =>
    el(
      'ul',
      { class: 'list' },
      data.health.map(({ name, state, detail }) =>
        el(
          'li',
          {},
          el('b', { class: `dot ${HEALTH_KIND[state]}` }, name),
          ` ${state}`,
          el('br'),
          el('small', {}, detail),
        ),
      ),
    ),
  );
}

function renderTiles({ clients, tools, health, processes, sharing }, minutes) {
  const requests = sum(minutes, each => each.requests);
  const rejections = sum(minutes, each => each.rejections);
  const near = clients.filter(({ used, limit, isOver }) => isOver || used >= limit * 0.8).length;
  const calls = sum(tools, each => each.calls);
  const failures = sum(tools, each => each.failures);
  const failing = health.filter(({ state }) => state === 'failing').length;
  const tiles = [
    [
      'Requests in an hour',
      number.format(requests),
      `${number.format(minutes.at(-2).requests)} in the last minute`,
    ],
    [
      'Rejected',
      number.format(rejections),
      requests === 0 ? 'of no request' : `${percent(rejections / requests)} of all`,
      rejections > 0 ? 'warn' : '',
    ],
    ['Near a limit', number.format(near), 'at 80 % of it or more', near > 0 ? 'warn' : ''],
    ['Tool calls', number.format(calls), `${number.format(failures)} failed`],
    [
      'Health',
      failing === 0 ? 'Good' : `${failing} failing`,
      sharing === 'on' ? `${processes} process${processes === 1 ? '' : 'es'}` : 'this process only',
      failing === 0 ? 'good' : 'bad',
    ],
  ];
  show('tiles', tiles, () =>
    tiles.map(([name, value, more, kind]) =>
      el(
        'div',
        { class: 'card' },
        el('span', { class: 'soft' }, name),
        el('b', { class: kind }, value),
        el('small', {}, more),
      ),
    ),
  );
  notify(
    'sharing',
    sharing === 'failing' ? 'This process only: the store that processes share does not answer.' : '',
  );
}

const notices = new Map();
function notify(topic, text) {
  notices.set(topic, text);
  const all = [...notices.values()].filter(Boolean).join(' ');
  if ($('notice').textContent !== all) $('notice').textContent = all;
  $('notice').hidden = all === '';
}

const meter = ({ used, limit, isOver }) => {
  const share = isOver ? 1 : Math.min(used / limit, 1);
  const bar = el('i');
  bar.style.width = `${share * 100}%`;
  const kind = isOver ? 'bad' : share >= 0.8 ? 'warn' : '';
  return [
    el(
      'div',
      {
        class: `meter ${kind}`,
        role: 'meter',
        'aria-label': 'Used',
        'aria-valuemin': 0,
        'aria-valuemax': limit,
        'aria-valuenow': Math.min(used, limit),
      },
      bar,
    ),
    el(
      'small',
      { class: kind },
      isOver
        ? `over the limit of ${number.format(limit)}`
        : `${number.format(used)} of ${number.format(limit)}`,
    ),
  ];
};

function renderClients(clients) {
  if (clients.length === 0) return soft('No agent or address has used a fifth of a limit.');
  const columns = [
    ['Client', client],
    ['Limit', ({ policy }) => policy],
    ['Used', meter],
    ['', row => actor(row)],
  ];
  return table('Nearest to a limit', columns, clients);
}

const impactKind = { high: 'bad', medium: 'warn' };
const TOOL_COLUMNS = [
  ['Tool', ({ tool }) => tool],
  [
    'Impact',
    ({ impact }) =>
      impact === undefined ? '' : el('span', { class: `tag ${impactKind[impact] ?? 'soft'}` }, impact),
  ],
  ['Calls', ({ calls }) => number.format(calls), 'n'],
  [
    'Failed',
    ({ failures }) => el('span', { class: failures > 0 ? 'bad' : undefined }, number.format(failures)),
    'n',
  ],
  [
    'Rejected',
    ({ rejections }) => el('span', { class: rejections > 0 ? 'warn' : undefined }, number.format(rejections)),
    'n',
  ],
];

function renderRejections(rows) {
  if (rows.length === 0) return soft('Nothing was rejected.');
  return table(
    'Rejections',
    [
      ['Time', ({ timeMs }) => time(timeMs)],
      [
        'Code',
        ({ status, code }) =>
          el('span', { class: `tag ${status >= 500 ? 'bad' : 'warn'}` }, `${status} ${code}`),
      ],
      [
        'Reason',
        ({ reason, received, remedy }) => [
          reason ?? '',
          received === undefined ? '' : ` (${received})`,
          el('small', {}, remedy === undefined ? '' : ` ${remedy}`),
        ],
      ],
      ['Client', client],
      ['Request', ({ method, path }) => [method, path].filter(Boolean).join(' ')],
      ['Request ID', ({ requestId }) => finder(requestId)],
    ],
    rows,
  );
}

function renderAudit(rows) {
  if (rows.length === 0) return soft('No call of a tool was recorded.');
  return table(
    'Audit records',
    [
      ['Time', ({ timeMs }) => time(timeMs)],
      [
        'Record',
        ({ event, outcome, count }) => [
          event,
          outcome === undefined || outcome === event ? '' : ` ${outcome}`,
          count === undefined ? '' : ` ${count}`,
        ],
      ],
      ['Tool', ({ tool }) => tool],
      ['Agent', client],
      [
        'Duration',
        ({ durationMs }) => (durationMs === undefined ? '' : `${number.format(durationMs)} ms`),
        'n',
      ],
    ],
    rows,
  );
}

const severityKind = { error: 'bad', warning: 'warn', note: 'soft' };
const finding = ({ id, severity, message, why, remedy, docs, reason }) =>
  el(
    'li',
    {},
    el('span', { class: `tag ${severityKind[severity]}` }, `${severity} ${id}`),
    ' ',
    message,
    '. ',
    el(
      'small',
      {},
      reason === undefined ? `${why[0].toUpperCase()}${why.slice(1)}. ${remedy} ` : `Silenced: ${reason} `,
    ),
    docs.startsWith('https://') ? el('a', { href: docs, rel: 'noreferrer' }, 'Documentation') : undefined,
  );

function renderConfiguration({ findings, silenced, options }) {
  show('findings', [findings, silenced], () =>
    findings.length + silenced.length === 0
      ? el('p', { class: 'dot good' }, 'Nothing to improve was found.')
      : el('ul', { class: 'list' }, [...findings, ...silenced].map(finding)),
  );
  show('options', options, () => {
    const rows = table(
      'Options',
      [
        ['Option', ({ option }) => el('code', {}, option)],
        ['Value', ({ value }) => value],
        ['From', ({ source }) => source],
      ],
      options,
    );
    const filter = ({ target }) => {
      for (const row of rows.querySelectorAll('tbody tr'))
        row.hidden = !row.textContent.toLowerCase().includes(target.value.toLowerCase());
    };
    return el(
      'details',
      { 'data-key': 'options' },
      el('summary', {}, `${options.length} options in force, without secrets`),
      el(
        'p',
        {},
        el('input', {
          type: 'search',
          'aria-label': 'Filter the options',
          placeholder: 'Filter',
          input: filter,
        }),
      ),
      rows,
    );
  });
}

/* ---- search and actions ---- */

async function search(text) {
  $('text').value = text;
  const response = await send('/search', { text });
  if (!response.ok) return notify('search', await problemOf(response));
  notify('search', '');
  const { rejections, audit } = await response.json();
  const clients = last.clients.filter(row => [row.agent, row.address].some(each => each?.includes(text)));
  // The figures of other processes are those that the page has.
  const more = (own, all) => [
    ...own,
    ...all.filter(
      row =>
        [row.requestId, row.agent, row.address].some(each => each?.includes(text)) &&
        !own.some(each => each.timeMs === row.timeMs && each.requestId === row.requestId),
    ),
  ];
  const found = { rejections: more(rejections, last.rejections), audit: more(audit, last.audit) };
  const agent = [...clients, ...found.rejections, ...found.audit].find(row => row.agent === text)?.agent;
  const address = [...clients, ...found.rejections].find(row => row.address === text)?.address;
  const close = () => {
    $('found').hidden = true;
    $('text').focus();
  };
  $('found').replaceChildren(
    el(
      'div',
      { class: 'buttons' },
      el('h2', {}, `Found for “${text}”`),
      el('button', { type: 'button', click: close }, 'Close'),
      actor({ agent, address: agent === undefined ? address : undefined }),
    ),
    clients.length > 0 ? renderClients(clients) : '',
    renderRejections(found.rejections),
    found.audit.length > 0 ? renderAudit(found.audit) : '',
  );
  $('found').hidden = false;
  $('found').focus();
}

/** The button that opens the dialog for an agent or an address. */
function actor({ agent, address }) {
  const { disableAgent, resetQuota } = configuration.actions;
  const choices = [
    ...(resetQuota && (agent ?? address) !== undefined
      ? [['reset-quota', 'Reset the quota: all limits of the client begin anew.']]
      : []),
    ...(disableAgent && agent !== undefined
      ? [['disable-agent', 'Disable the agent: all of its credentials are rejected at once.']]
      : []),
  ];
  if (choices.length === 0) return undefined;
  const target = agent === undefined ? { address } : { agent };
  const name = agent ?? address;
  return el(
    'button',
    {
      type: 'button',
      class: 'small',
      'data-key': `act ${name}`,
      'aria-label': `Act on ${name}`,
      click: () => openDialog(name, target, choices),
    },
    'Act…',
  );
}

let pending;
function openDialog(name, target, choices) {
  const dialog = $('act');
  $('h-act').textContent = name;
  $('act-problem').textContent = '';
  $('sure').checked = false;
  $('choices').replaceChildren(
    ...choices.map(([value, label]) =>
      el(
        'label',
        { class: 'check' },
        el('input', { type: 'radio', name: 'action', value, required: '' }),
        el('span', {}, label),
      ),
    ),
  );
  pending = { name, target };
  dialog.showModal();
}

async function act(event) {
  event.preventDefault();
  const { name, target } = pending;
  const action = new FormData(event.target).get('action');
  const response = await send('/actions', { action, ...target });
  if (!response.ok) {
    $('act-problem').textContent = await problemOf(response);
    return;
  }
  $('act').close();
  notify(
    'action',
    action === 'disable-agent' ? `The agent ${name} is disabled.` : `The quota of ${name} is reset.`,
  );
}

/* ---- the connection ---- */

function call(path, { headers, ...options } = {}) {
  return fetch(base + path, {
    ...options,
    cache: 'no-store',
    headers: { ...headers, Authorization: `Bearer ${key}` },
  });
}

const send = (path, body) =>
  call(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

async function problemOf(response) {
  const problem = await response.json().catch(() => ({}));
  const scopes = problem.required_scopes?.join(', ');
  return [
    problem.detail ?? `The app answers ${response.status}.`,
    scopes === undefined ? '' : `It needs: ${scopes}.`,
  ]
    .join(' ')
    .trim();
}

function setStatus(text, kind) {
  $('status').textContent = text;
  $('status').className = `pill ${kind}`;
}

const setLive = () => setStatus(isPaused ? 'Paused' : 'Live', isPaused ? 'warn' : 'good');

function signOut(problem = '') {
  session++;
  reading.abort();
  sessionStorage.removeItem(STORED);
  key = '';
  shown.clear();
  notices.clear();
  for (const id of ['figures', 'search', 'tools']) $(id).hidden = true;
  $('found').hidden = true;
  $('sign-in').hidden = false;
  $('problem').textContent = problem;
  setStatus('Signed out', '');
  $('key').value = '';
  $('key').focus();
}

async function signIn() {
  const own = ++session;
  setStatus('Connecting', '');
  try {
    const response = await call('/configuration');
    if (own !== session) return;
    if (response.status === 401 || response.status === 403) return signOut(await problemOf(response));
    if (response.ok) {
      configuration = await response.json();
      renderConfiguration(configuration);
      $('app').textContent = `${location.host}, signed in as ${configuration.agent}`;
    }
  } catch {
    // The stream tries again.
  }
  sessionStorage.setItem(STORED, key);
  $('sign-in').hidden = true;
  for (const id of ['figures', 'search', 'tools']) $(id).hidden = false;
  const isCurrent = () => own === session;
  for (let waitMs = 1000; isCurrent(); waitMs = Math.min(waitMs * 2, 10_000)) {
    const isRead = await watch(own).catch(() => false);
    if (own !== session) return;
    if (isRead) waitMs = 1000;
    setStatus('Reconnecting', 'warn');
    await new Promise(resolve => setTimeout(resolve, waitMs));
  }
}

/** Reads the stream to its end. @returns whether it began */
async function watch(own) {
  reading = new AbortController();
  const response = await call('/data', { headers: { Accept: 'text/event-stream' }, signal: reading.signal });
  if (own !== session) return false;
  if (response.status === 401 || response.status === 403) {
    signOut(await problemOf(response));
    return false;
  }
  if (!response.ok) {
    notify('stream', await problemOf(response));
    return false;
  }
  notify('stream', '');
  setLive();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return true;
    const events = (rest + value).split('\n\n');
    rest = events.pop();
    // A comment may follow the last event.
    const event = events.findLast(each => each.startsWith('data: '));
    if (event !== undefined) receive(JSON.parse(event.slice(6)));
  }
}

function receive(data) {
  last = data;
  if (!isPaused) render(data);
}

/* ---- what the reader does ---- */

$('sign-in').addEventListener('submit', event => {
  event.preventDefault();
  key = $('key').value.trim();
  $('problem').textContent = '';
  // A header takes no other characters.
  if (/^[\x21-\x7e]+$/.test(key)) void signIn();
  else $('problem').textContent = 'This is no key and no token.';
});
$('search').addEventListener('submit', event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text !== '') void search(text);
});
$('leave').addEventListener('click', () => signOut());
$('act').firstElementChild.addEventListener('submit', act);
$('cancel').addEventListener('click', () => $('act').close());
$('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  $('pause').setAttribute('aria-pressed', isPaused);
  setLive();
  if (!isPaused) render(last);
});
for (const id of ['by-codes', 'by-policies']) {
  $(id).addEventListener('click', () => {
    isByPolicy = id === 'by-policies';
    $('by-codes').setAttribute('aria-pressed', !isByPolicy);
    $('by-policies').setAttribute('aria-pressed', isByPolicy);
    if (last) render(last);
  });
}
document.addEventListener('keydown', event => {
  if (event.key !== '/' || event.target.matches('input') || $('search').hidden) return;
  event.preventDefault();
  $('text').focus();
});
new ResizeObserver(() => last && render(last)).observe($('figures'));

$('app').textContent = location.host;
if (key === '') signOut();
else void signIn();
