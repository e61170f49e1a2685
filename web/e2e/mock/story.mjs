/** The demo's events as a server would send them, for developing the pages without one. */

const QUESTION = {
  id: `que${'1'.repeat(32)}`,
  kind: 'decision',
  text: 'The coupon will be kept when another card is tried. Should the receipt also name the coupon?',
  detail:
    'The receipt now reads "paid 19.08 with card-2222". Naming the coupon adds a second line to every receipt with one; nothing else changes.',
  options: ['No, only keep the coupon', 'Yes, name the coupon on the receipt'],
  call_id: 'c7',
};

const APPROVAL = {
  id: `que${'2'.repeat(32)}`,
  kind: 'approval',
  text: 'May it run this command? It writes outside the repository.',
  detail: 'sh test.sh > /tmp/report.txt',
  options: [],
  call_id: 'c9',
};

const FAILING = `ok   a cart of one
ok   a cart of three
ok   a coupon is taken off
ok   an unknown coupon costs nothing
ok   a declined card is not charged
FAIL a second card keeps the coupon
  wanted: paid 19.08 with card-2222
  got:    paid 21.20 with card-2222
ok   no card, no sale
6 passed, 1 failed
`;

const PASSING = FAILING.replace(
  /FAIL (.*)\n.*\n.*\n/,
  'ok   $1\nok   the coupon outlives two declined cards\n',
).replace('6 passed, 1 failed', '8 passed, 0 failed');

const usage = (input, output, cached) => ({
  input_tokens: input,
  output_tokens: output,
  cache_read_tokens: cached,
  cache_write_tokens: 0,
});

export const FILES = [
  { path: 'lib/checkout.sh', added: 1, removed: 1 },
  { path: 'test.sh', added: 1, removed: 0 },
];

/** Steps of the story: `[pause in ms, kind, data]`; kinds named `live.*` are not stored; `wait` waits for an answer. */
export function story(run, { approval = true } = {}) {
  const steps = [];
  const add = (pause, kind, data) => steps.push([pause, kind, data]);
  let turn = 0;
  let call = 0;
  const ask = () => {
    turn += 1;
    add(300, 'turn.asked', { turn, model: run.model, context_tokens: 2_400 + turn * 900 });
  };
  const say = (text, { thinking = '', calls = [] } = {}) => {
    for (const piece of thinking.match(/.{1,24}/gs) ?? []) add(40, 'live.thinking', { turn, text: piece });
    for (const piece of text.match(/.{1,12}/gs) ?? []) add(40, 'live.text', { turn, text: piece });
    const parts = [];
    if (thinking) parts.push({ type: 'thinking', text: thinking });
    if (text) parts.push({ type: 'text', text });
    for (const { tool, args } of calls) {
      call += 1;
      parts.push({ type: 'tool_call', id: `c${call}`, tool, arguments: args });
    }
    const used = usage(300 + turn * 40, 60 + text.length, 2_000 + turn * 800);
    const stop = calls.length > 0 ? 'tool_use' : 'end_turn';
    add(100, 'turn.answered', { turn, parts, stop, usage: used, cost: 0, duration_ms: 900 });
    return parts.filter((part) => part.type === 'tool_call');
  };
  const start = ({ id, tool, arguments: args }, verb, target) =>
    add(60, 'tool.started', { turn, call: { id, tool, arguments: args }, label: { verb, target } });
  const end = ({ id, tool }, outcome, output, summary, ms) =>
    add(ms, 'tool.ended', {
      call_id: id,
      tool,
      outcome,
      output,
      summary,
      duration_ms: ms,
      shell_directory: '/workspace',
    });
  const quick = (made, verb, target, output, summary, ms = 30) => {
    start(made, verb, target);
    end(made, 'done', output, summary, ms);
  };
  const tasks = (...states) => {
    const titles = ['See the test fail', 'Find the cause', 'Fix it', 'Add a test that keeps it fixed'];
    add(20, 'tasks.updated', { tasks: titles.map((title, index) => ({ title, state: states[index] })) });
  };

  add(0, 'run.created', {
    run: run.id,
    org: `org${'0'.repeat(32)}`,
    project: run.project.id,
    number: run.number,
    goal: run.goal,
    by: 'mara',
    repository: run.repository,
    model: run.model,
    scripted: run.scripted,
    limits: run.limits,
  });
  add(0, 'run.state', { state: 'queued' });
  add(200, 'run.state', { state: 'starting' });
  add(400, 'sandbox.ready', {
    sandbox: `sbx${'0'.repeat(32)}`,
    provider: 'native',
    isolation: 'namespaces, seccomp, no network',
    base_commit: 'a'.repeat(40),
    base_branch: 'main',
    branch: `journeyman/${run.number}-coupon`,
  });
  add(0, 'run.state', { state: 'running' });
  add(0, 'context.opened', { system: 'You work on a repository.', tools: ['bash', 'read_file'] });

  ask();
  const [first] = say('I will see the test fail for myself before I touch anything.', {
    thinking: 'The goal names a failing test. See it fail first, then read the code that it runs.',
    calls: [{ tool: 'bash', args: { command: 'sh test.sh' } }],
  });
  add(20, 'narration', { text: "I start by running the shop's tests, so that I see the failure myself." });
  tasks('active', 'open', 'open', 'open');
  start(first, 'Ran', 'sh test.sh');
  for (const line of FAILING.split(/(?<=\n)/)) add(60, 'live.output', { call_id: first.id, text: line });
  end(first, 'failed', `${FAILING}[exit 1]`, '1 of 7 failed', 640);

  ask();
  const looked = say(
    'One test fails: with a second card the customer pays **the full price**. The coupon gets lost between the two cards, so I look at `checkout`.',
    {
      calls: [
        { tool: 'read_file', args: { path: 'lib/checkout.sh' } },
        { tool: 'grep', args: { pattern: 'cart_total', path: '.' } },
      ],
    },
  );
  quick(looked[0], 'Read', 'lib/checkout.sh', '1\tcheckout() {\n2\t…', '48 lines');
  quick(looked[1], 'Searched', 'cart_total', 'lib/checkout.sh:12: amount=$(cart_total "$items")', '3 hits');

  ask();
  const [asked] = say(
    'Found it. After a declined card, checkout prices the cart again and forgets to hand the coupon on.',
    {
      calls: [{ tool: 'ask_user', args: { question: QUESTION.text } }],
    },
  );
  tasks('done', 'done', 'active', 'open');
  start(asked, 'Asked', QUESTION.text);
  add(10, 'question.asked', QUESTION);
  add(0, 'run.state', { state: 'waiting', question: QUESTION.id, on: 'decision' });
  add(0, 'wait', QUESTION);
  end(asked, 'done', 'No, only keep the coupon', 'answered', 10);

  ask();
  const [edited] = say('Now the fix itself: the second pricing gets the coupon too.', {
    calls: [{ tool: 'edit_file', args: { path: 'lib/checkout.sh', old_string: 'a\nb', new_string: 'a\nc' } }],
  });
  quick(edited, 'Edited', 'lib/checkout.sh', 'edited', '+1 −1');
  add(10, 'files.changed', { files: FILES.slice(0, 1) });

  ask();
  const [tested] = say(
    'A fixed bug gets a test of its own here. The old test tries one declined card; mine tries two.',
    {
      calls: [{ tool: 'edit_file', args: { path: 'test.sh' } }],
    },
  );
  quick(tested, 'Edited', 'test.sh', 'edited', '+1');
  add(10, 'files.changed', { files: FILES });
  tasks('done', 'done', 'done', 'active');

  ask();
  const [again] = say('The fix and its test are in. I run everything again and keep the report.', {
    calls: [{ tool: 'bash', args: { command: 'sh test.sh > /tmp/report.txt; cat /tmp/report.txt' } }],
  });
  if (approval) {
    add(10, 'question.asked', APPROVAL);
    add(0, 'run.state', { state: 'waiting', question: APPROVAL.id, on: 'approval' });
    add(0, 'wait', APPROVAL);
  }
  start(again, 'Ran', 'sh test.sh > /tmp/report.txt; cat /tmp/report.txt');
  for (const line of PASSING.split(/(?<=\n)/)) add(50, 'live.output', { call_id: again.id, text: line });
  end(again, 'done', `${PASSING}[exit 0]`, '8 passed', 1_240);

  ask();
  tasks('done', 'done', 'done', 'done');
  say(
    `The coupon now survives a declined card.

- **Cause:** after a declined card, \`lib/checkout.sh\` priced the cart again without the coupon.
- **Fix:** the coupon is handed on, so every card is asked for the same amount.
- **Proof:** \`sh test.sh\` gives 8 passed, 0 failed. One of them is new and tries two declined cards in a row.`,
  );
  add(300, 'check.ran', { command: 'sh test.sh', exit_code: 0, output: PASSING, duration_ms: 610 });
  const artifact = {
    id: `art${'1'.repeat(32)}`,
    sort: 'patch',
    name: `run-${run.number}.patch`,
    media_type: 'text/x-diff',
    size_bytes: 812,
    blob: 'x',
  };
  add(0, 'artifact.kept', artifact);
  add(0, 'delivery.made', {
    branch: `journeyman/${run.number}-coupon`,
    commit: 'b'.repeat(40),
    commits: 2,
    patch: artifact.id,
    applied: false,
  });
  add(0, 'run.state', { state: 'succeeded', evidence: { evidence: 'check_passed', command: 'sh test.sh' } });
  return steps;
}
