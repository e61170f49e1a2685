/**
 * Plays the demo on the real program and keeps its events as the fixture that the tests read:
 * `JOURNEYMAN_BIN=… node scripts/record.mjs`.
 */
import { writeFileSync } from 'node:fs';
import { Journeyman } from '../e2e/journeyman.mjs';

const journeyman = new Journeyman(process.env.JOURNEYMAN_BIN ?? '../target/debug/journeyman');
const told = await journeyman.start();
const headers = { 'content-type': 'application/json' };

async function ask(method, path, body) {
  const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
  const response = await fetch(new URL(path, told.url), init);
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  const cookie = response.headers.get('set-cookie');
  if (cookie) headers.cookie = cookie.split(';')[0];
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

try {
  await ask('POST', '/v1/login', { ticket: new URL(told.ticket_url).hash.slice('#t='.length) });
  let run = await ask('POST', '/v1/demo', {});
  while (run.ended_at_ms === null) {
    await new Promise((done) => setTimeout(done, 300));
    run = await ask('GET', `/v1/runs/${run.id}`);
    if (run.question?.state !== 'open') continue;
    await ask('POST', `/v1/questions/${run.question.id}/answer`, {
      answer: 'text',
      text: run.question.options[0],
    });
    await new Promise((done) => setTimeout(done, 500));
  }
  const { items } = await ask('GET', `/v1/runs/${run.id}/events?after=0&limit=1000`);
  // The prompt is long, and pages do not show it.
  for (const event of items)
    if (event.kind === 'context.opened') event.data.system = 'You work on a repository.';
  const text = `[\n${items.map((event) => `  ${JSON.stringify(event)}`).join(',\n')}\n]\n`;
  const clean = text.replaceAll(journeyman.home, '/home/mara');
  writeFileSync(new URL('../src/log/fixtures/demo.json', import.meta.url), clean);
  console.log(`${items.length} events`);
} finally {
  await journeyman.remove();
}
