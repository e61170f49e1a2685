/**
 * The pages against the real program: from the first link through the demo to the applied change, then axe
 * and the reflow check on each page, in both themes and at both widths. Needs JOURNEYMAN_BIN.
 */
import { mkdirSync } from 'node:fs';
import { approvals } from './approval.mjs';
import { launch } from './browser.mjs';
import { Journeyman } from './journeyman.mjs';
import { ownRepository } from './own.mjs';
import { pagesHold } from './pages.mjs';
import { Report } from './report.mjs';
import { playDemo } from './story.mjs';

const binary = process.env.JOURNEYMAN_BIN;
if (!binary) {
  console.error('JOURNEYMAN_BIN is not set: name the program to test, built with the web app in it');
  process.exit(2);
}
mkdirSync(new URL('./out/', import.meta.url).pathname, { recursive: true });

const report = new Report();
const journeyman = new Journeyman(binary);
const browser = await launch();
try {
  const told = await journeyman.start();
  const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) errors.push(message.text());
  });
  const world = { report, journeyman, told, context, page, base: new URL(told.url).origin };
  await playDemo(world);
  await ownRepository(world);
  await approvals(world);
  await pagesHold(world);
  await report.check('no page threw an error or broke the policy', () => {
    if (errors.length > 0) throw new Error(errors.join('\n'));
  });
} catch (error) {
  await report.check('the journey goes to its end', () => {
    throw error;
  });
} finally {
  await browser.close();
  await journeyman.remove();
}
process.exit(report.close());
