/** A server for developing the pages: it plays the demo's story from memory. Never used by CI. */
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { FILES, story } from './story.mjs';
import { accept } from './websocket.mjs';

const PORT = Number(process.env.PORT ?? 4000);
const SPEED = Number(process.env.SPEED ?? 1);
const DIST = new URL('../../dist/', import.meta.url).pathname;
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'; font-src 'self'; connect-src 'self'";

const project = { id: `prj${'1'.repeat(32)}`, slug: 'coupon-shop', name: 'coupon-shop' };
const limits = { max_turns: 500, max_tool_calls: 2000, max_cost: null, max_tokens: null, max_seconds: 14400 };
const runs = [];
const logs = new Map();
const waiters = new Map();
const clients = new Set();
let defaultModel = null;
const started = Date.now();

const problem = (status, code, detail, extra = {}) => ({
  status,
  body: { status, code, title: code, detail, ...extra },
});

function makeRun(fields = {}) {
  const number = runs.length + 1;
  const run = {
    id: `run${String(number).padStart(32, '0')}`,
    number,
    project,
    goal: 'One test of the shop fails: a customer whose first card is declined loses the coupon. Find out why, fix it, and make sure that it stays fixed.',
    by: 'mara',
    repository: '/home/mara/.local/share/journeyman/demo/coupon-shop',
    model: 'scripted/shop',
    scripted: true,
    attended: 'yes',
    check: null,
    dirty: false,
    apply: false,
    state: 'queued',
    word: 'Queued',
    reason: null,
    evidence: null,
    until_ms: null,
    question: null,
    turns: 0,
    tool_calls: 0,
    usage: { input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 },
    cost_micros: 0,
    context_tokens: 0,
    context_window: 32768,
    limits,
    branch: null,
    base_commit: null,
    commit: null,
    applied: false,
    files: [],
    sandbox: null,
    queue_position: null,
    created_at_ms: Date.now(),
    started_at_ms: null,
    ended_at_ms: null,
    changed_at_ms: Date.now(),
    last_seq: 0,
    ...fields,
  };
  runs.unshift(run);
  logs.set(run.id, []);
  return run;
}

const WORDS = {
  queued: 'Queued',
  starting: 'Working',
  running: 'Working',
  waiting: 'Needs you',
  succeeded: 'Done',
  paused: 'Paused',
  cancelled: 'Stopped',
  failed: 'Failed',
};

function fold(run, kind, data) {
  if (kind === 'run.state') {
    run.state = data.state;
    run.word = WORDS[data.state] ?? data.state;
    run.reason = data.reason ?? null;
    run.evidence = data.evidence ?? null;
    if (data.state === 'starting') run.started_at_ms ??= Date.now();
    if (['succeeded', 'cancelled', 'failed'].includes(data.state)) run.ended_at_ms = Date.now();
  }
  if (kind === 'turn.asked') {
    run.turns = data.turn;
    run.context_tokens = data.context_tokens;
  }
  if (kind === 'question.asked')
    run.question = { ...data, run: run.id, state: 'open', answer: null, by: null, asked_at_ms: Date.now() };
  if (kind === 'question.answered') run.question = null;
  if (kind === 'files.changed') run.files = data.files;
  if (kind === 'sandbox.ready') run.sandbox = { provider: data.provider, isolation: data.isolation };
  if (kind === 'delivery.made') Object.assign(run, { branch: data.branch, commit: data.commit });
}

function emit(run, kind, data) {
  const log = logs.get(run.id);
  const event = { stream: `run/${run.id}`, seq: log.length + 1, at_ms: Date.now(), kind, data };
  log.push(event);
  fold(run, kind, data);
  run.last_seq = event.seq;
  run.changed_at_ms = event.at_ms;
  for (const client of clients) {
    if (client.streams.has(event.stream)) client.send({ event });
    if (client.streams.has('org')) client.send({ event: { kind: 'run.changed', data: run } });
  }
}

async function play(run) {
  for (const [pause, kind, data] of story(run, { approval: !process.env.NO_APPROVAL })) {
    if (pause > 0) await new Promise((done) => setTimeout(done, pause / SPEED));
    if (run.state === 'cancelled') return;
    if (kind === 'wait') {
      const answer = await new Promise((done) => waiters.set(data.id, done));
      waiters.delete(data.id);
      emit(run, 'question.answered', { question: data.id, answer, by: 'mara' });
      emit(run, 'run.state', { state: 'running' });
    } else if (kind.startsWith('live.')) {
      for (const client of clients)
        if (client.streams.has(`run/${run.id}`))
          client.send({ live: { stream: `run/${run.id}`, kind, data } });
    } else emit(run, kind, data);
  }
}

const DIFF = {
  base: 'a'.repeat(40),
  tip: 'b'.repeat(40),
  files: [
    {
      path: 'lib/checkout.sh',
      old_path: null,
      status: 'modified',
      added: 1,
      removed: 1,
      binary: false,
      too_large: false,
      hunks: [
        {
          header: 'checkout() {',
          old_start: 18,
          new_start: 18,
          lines: [
            { kind: ' ', text: '    for card in $cards; do' },
            {
              kind: ' ',
              text: '        if charge "$card" "$amount"; then receipt "$amount" "$card"; return 0; fi',
            },
            { kind: '-', text: '        amount=$(cart_total "$items") || return 1' },
            { kind: '+', text: '        amount=$(cart_total "$items" "$coupon") || return 1' },
            { kind: ' ', text: '    done' },
          ],
        },
      ],
    },
    {
      path: 'test.sh',
      old_path: null,
      status: 'modified',
      added: 1,
      removed: 0,
      binary: false,
      too_large: false,
      hunks: [
        {
          header: '',
          old_start: 31,
          new_start: 31,
          lines: [
            {
              kind: ' ',
              text: 'check "a second card keeps the coupon" "paid 19.08 with card-2222" sh shop.sh checkout "mug:2" WELCOME10 declined-1111 card-2222',
            },
            {
              kind: '+',
              text: 'check "the coupon outlives two declined cards" "paid 10.80 with card-3333" sh shop.sh checkout "poster:1" WELCOME10 declined-1111 declined-2222 card-3333',
            },
            { kind: ' ', text: 'check "no card, no sale" "no card was taken" sh shop.sh checkout "mug:1"' },
          ],
        },
      ],
    },
  ],
};

const models = () => ({
  default: defaultModel,
  items: [
    {
      name: 'anthropic/claude-sonnet-4-5',
      scripted: false,
      available: false,
      context_tokens: 200000,
      price: null,
      why_not: 'no key',
    },
    {
      name: 'ollama/qwen3-coder:30b',
      scripted: false,
      available: true,
      context_tokens: 32768,
      price: null,
      why_not: null,
    },
    {
      name: 'scripted/shop',
      scripted: true,
      available: true,
      context_tokens: 32768,
      price: null,
      why_not: null,
    },
  ],
  local: [{ server: 'ollama', url: 'http://127.0.0.1:11434', models: ['qwen3-coder:30b', 'llama3.2:3b'] }],
  keys: [
    { provider: 'anthropic', source: 'environment', base_url: null },
    { provider: 'openai', source: 'none', base_url: null },
    { provider: 'gemini', source: 'none', base_url: null },
  ],
});

/** A run of many turns, for looking at long logs. */
function makeLong(turns) {
  const run = makeRun({
    goal: 'Work through a long list of small things',
    scripted: false,
    cost_micros: 1_840_000,
  });
  const usage = { input_tokens: 900, output_tokens: 300, cache_read_tokens: 9_000, cache_write_tokens: 0 };
  emit(run, 'run.created', { ...run, run: run.id });
  for (let turn = 1; turn <= turns; turn += 1) {
    const call = { id: `c${turn}`, tool: 'bash', arguments: { command: `make step-${turn}` } };
    const text = `Step **${turn}**: ${'some words about what comes next. '.repeat(1 + (turn % 7))}`;
    emit(run, 'turn.asked', { turn, model: run.model, context_tokens: 9_000 });
    emit(run, 'turn.answered', {
      turn,
      parts: [{ type: 'text', text }],
      stop: 'tool_use',
      usage,
      cost: 900,
      duration_ms: 9,
    });
    emit(run, 'tool.started', { turn, call, label: { verb: 'Ran', target: call.arguments.command } });
    const bad = turn % 37 === 0;
    emit(run, 'tool.ended', {
      call_id: call.id,
      tool: 'bash',
      outcome: bad ? 'failed' : 'done',
      output: `step ${turn}\n`,
      summary: bad ? 'exit 1' : 'exit 0',
      duration_ms: 40 + (turn % 11) * 200,
    });
  }
  emit(run, 'run.state', { state: 'running' });
  const more = (turn) => {
    emit(run, 'turn.asked', { turn, model: run.model, context_tokens: 9_000 });
    emit(run, 'narration', { text: `And one more, number ${turn}.` });
    setTimeout(more, 1_500, turn + 1);
  };
  more(turns + 1);
}
if (process.env.LONG) makeLong(Number(process.env.LONG));

const find = (key) => runs.find((run) => run.id === key || String(run.number) === key);

const ROUTES = [
  [
    'GET',
    /^\/v1\/me$/,
    () => ({
      user: { id: 'usr1', name: 'mara' },
      org: { id: 'org1', name: 'home' },
      scopes: ['*'],
      via: 'cookie',
    }),
  ],
  [
    'POST',
    /^\/v1\/login$/,
    (_m, body) => (body.ticket === 'used' ? problem(401, 'ticket_used', 'this link was used before') : null),
  ],
  [
    'GET',
    /^\/v1\/status$/,
    () => ({
      version: '0.1.0',
      data_dir: '/home/mara/.local/share/journeyman',
      database: 'sqlite',
      sandbox: { provider: 'native', isolation: 'namespaces, seccomp, no network' },
      runs: { queued: 0, working: 1, needs_you: 0, sleeping: 0 },
      capacity: 4,
    }),
  ],
  [
    'GET',
    /^\/v1\/doctor$/,
    () => ({
      probes: [
        { name: 'user namespaces', ok: true, detail: 'may be created', fix: null },
        {
          name: 'cgroups',
          ok: false,
          detail: 'memory limits are not delegated to this user',
          fix: 'systemctl --user edit',
        },
      ],
    }),
  ],
  [
    'GET',
    /^\/v1\/tokens$/,
    () => ({ items: [{ id: 'tok1', name: 'laptop', scopes: ['*'], last_used_at_ms: null }], next: null }),
  ],
  [
    'POST',
    /^\/v1\/tokens$/,
    (_m, body) => ({ id: 'tok2', name: body.name, scopes: ['*'], token: 'jm_5d1f…' }),
  ],
  [
    'GET',
    /^\/v1\/projects$/,
    () => ({
      items: [
        {
          ...project,
          path: '/home/mara/coupon-shop',
          check: 'sh test.sh',
          default_model: null,
          created_at_ms: started,
          runs: {
            total: runs.length,
            needs_you: runs.filter((run) => run.state === 'waiting').length,
            working: 0,
          },
        },
      ],
      next: null,
    }),
  ],
  ['GET', /^\/v1\/models$/, models],
  [
    'POST',
    /^\/v1\/models\/test$/,
    (_m, body) =>
      body.name.startsWith('ollama')
        ? { ok: true, latency_ms: 840, tools: true, error: null }
        : { ok: false, latency_ms: 210, tools: false, error: '401 invalid x-api-key' },
  ],
  [
    'PUT',
    /^\/v1\/models\/default$/,
    (_m, body) => {
      defaultModel = body.name;
      return null;
    },
  ],
  ['PUT', /^\/v1\/models\/keys\//, () => null],
  ['DELETE', /^\/v1\/models\/keys\//, () => null],
  [
    'POST',
    /^\/v1\/demo$/,
    () => {
      const run = makeRun();
      void play(run);
      return run;
    },
  ],
  [
    'POST',
    /^\/v1\/runs$/,
    (_m, body) =>
      body.repository?.startsWith('/') || body.project
        ? (() => {
            const run = makeRun({ goal: body.goal, model: body.model, scripted: false, cost_micros: null });
            void play(run);
            return run;
          })()
        : problem(422, 'not_a_repository', `${body.repository} is not a git repository`, {
            fix: 'name a folder that git knows: git init',
          }),
  ],
  ['GET', /^\/v1\/runs$/, () => ({ items: runs, next: null })],
  [
    'GET',
    /^\/v1\/runs\/([^/]+)$/,
    ([key]) =>
      find(key) ?? problem(404, 'run_not_found', `there is no run ${key}`, { fix: 'journeyman run list' }),
  ],
  [
    'GET',
    /^\/v1\/runs\/([^/]+)\/events$/,
    ([key], _b, query) => {
      const log = logs.get(find(key).id);
      const after = Number(query.get('after') ?? 0);
      return { items: log.slice(after, after + Number(query.get('limit') ?? 500)), head: log.length };
    },
  ],
  [
    'GET',
    /^\/v1\/runs\/([^/]+)\/diff$/,
    ([key]) =>
      find(key).files.length > 0
        ? { ...DIFF, files: DIFF.files.slice(0, find(key).files.length) }
        : { ...DIFF, files: [] },
  ],
  [
    'GET',
    /^\/v1\/runs\/([^/]+)\/artifacts$/,
    ([key]) => ({
      items: logs
        .get(find(key).id)
        .filter((event) => event.kind === 'artifact.kept')
        .map((event) => event.data),
    }),
  ],
  [
    'POST',
    /^\/v1\/runs\/([^/]+)\/apply$/,
    () =>
      process.env.APPLY_CONFLICT
        ? problem(409, 'would_overwrite', 'uncommitted changes in 1 file would be overwritten', {
            paths: ['lib/checkout.sh'],
            fix: 'commit or stash them, then apply again',
          })
        : { applied: FILES.map(({ path }) => ({ path, status: 'modified' })) },
  ],
  [
    'POST',
    /^\/v1\/runs\/([^/]+)\/messages$/,
    ([key], body) => {
      emit(find(key), 'message.said', { text: body.text, by: 'mara' });
      return null;
    },
  ],
  [
    'POST',
    /^\/v1\/runs\/([^/]+)\/stop$/,
    ([key]) => {
      const run = find(key);
      emit(run, 'run.state', { state: 'cancelled', reason: { code: 'cancelled', text: 'mara stopped it' } });
      return run;
    },
  ],
  [
    'POST',
    /^\/v1\/runs\/([^/]+)\/(pause|resume)$/,
    ([key, what]) => {
      const run = find(key);
      emit(
        run,
        'run.state',
        what === 'pause'
          ? { state: 'paused', reason: { code: 'paused', text: 'mara paused it' } }
          : { state: 'queued' },
      );
      if (what === 'resume') emit(run, 'run.state', { state: 'running' });
      return run;
    },
  ],
  [
    'POST',
    /^\/v1\/questions\/([^/]+)\/answer$/,
    ([key], body) => {
      const done = waiters.get(key);
      if (!done) return problem(409, 'question_answered', 'this question was answered');
      done(body);
      return null;
    },
  ],
];

async function answer(request, response) {
  const url = new URL(request.url, 'http://localhost');
  let text = '';
  for await (const chunk of request) text += chunk;
  for (const [method, path, handle] of ROUTES) {
    const match = path.exec(url.pathname);
    if (!match || method !== request.method) continue;
    const result = handle(match.slice(1), text ? JSON.parse(text) : {}, url.searchParams);
    if (result === null) return response.writeHead(204).end();
    const failed = result?.body?.code !== undefined;
    response.writeHead(failed ? result.status : 200, { 'content-type': 'application/json' });
    return response.end(JSON.stringify(failed ? result.body : result));
  }
  response
    .writeHead(404, { 'content-type': 'application/json' })
    .end(JSON.stringify(problem(404, 'no_route', url.pathname).body));
}

const server = createServer((request, response) => {
  if (request.url.startsWith('/v1/')) return void answer(request, response);
  const name = join(DIST, new URL(request.url, 'http://localhost').pathname);
  const file = existsSync(name) && extname(name) !== '' ? name : join(DIST, 'index.html');
  response.writeHead(200, {
    'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
    'content-security-policy': CSP,
  });
  createReadStream(file).pipe(response);
});

server.on('upgrade', (request, wire) => {
  const client = { streams: new Set(), send: () => {} };
  const onText = (text) => {
    const message = JSON.parse(text);
    if (message.ping !== undefined) client.send({ pong: message.ping });
    if (message.unsubscribe) client.streams.delete(message.unsubscribe.stream);
    if (!message.subscribe) return;
    const { stream, after } = message.subscribe;
    client.streams.add(stream);
    const log = logs.get(stream.replace('run/', '')) ?? [];
    for (const event of log.slice(after)) client.send({ event });
    client.send({ caught_up: { stream, head: log.length } });
  };
  client.send = accept(request, wire, onText, () => clients.delete(client));
  clients.add(client);
});

server.listen(PORT, '127.0.0.1', () =>
  console.log(`mock at http://127.0.0.1:${server.address().port}/welcome#t=mock`),
);
