/** Writes the demo's events as the fixture that the tests read: `node scripts/fixture.mjs`. */
import { writeFileSync } from 'node:fs';
import { story } from '../e2e/mock/story.mjs';

const run = {
  id: `run${'1'.repeat(32)}`,
  number: 1,
  project: { id: `prj${'1'.repeat(32)}` },
  goal: 'One test of the shop fails: a customer whose first card is declined loses the coupon.',
  repository: '/home/mara/coupon-shop',
  model: 'scripted/shop',
  scripted: true,
  limits: { max_turns: 500, max_tool_calls: 2000, max_cost: null, max_tokens: null, max_seconds: 14400 },
};

const events = [];
let at_ms = Date.UTC(2026, 10, 20, 9, 0, 0);
for (const [pause, kind, data] of story(run)) {
  at_ms += pause;
  const push = (one, body) =>
    events.push({ stream: `run/${run.id}`, seq: events.length + 1, at_ms, kind: one, data: body });
  if (kind.startsWith('live.')) continue;
  if (kind === 'wait') {
    const answer =
      data.kind === 'approval'
        ? { answer: 'allow', scope: 'once' }
        : { answer: 'text', text: data.options[0] };
    push('question.answered', { question: data.id, answer, by: 'mara' });
    push('run.state', { state: 'running' });
  } else push(kind, data);
}
const lines = events.map((event) => `  ${JSON.stringify(event)}`);
writeFileSync(new URL('../src/log/fixtures/demo.json', import.meta.url), `[\n${lines.join(',\n')}\n]\n`);
console.log(`${events.length} events`);
