/** The demo, as a person goes through it. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hold } from './pages.mjs';
import { equal, holds } from './report.mjs';

const STEP_LIMIT = { timeout: 60_000 };

export async function playDemo(world) {
  await enter(world);
  await follow(world);
  await answer(world);
  await finish(world);
  await take(world);
}

async function enter({ report, page, told, base }) {
  await report.check('the first link signs the browser in and leaves no ticket in the address', async () => {
    await page.goto(told.ticket_url ?? told.url);
    await page.getByRole('button', { name: 'Start the demo' }).waitFor(STEP_LIMIT);
    equal(new URL(page.url()).hash, '', 'the fragment');
    holds(await page.getByLabel('Watch the demo model first').isChecked(), 'the demo is not preselected');
  });
  await report.check('a link that was used says so in a fresh browser', async () => {
    const other = await page.context().browser().newContext();
    const fresh = await other.newPage();
    await fresh.goto(told.ticket_url ?? told.url);
    const alert = fresh.getByRole('alert');
    await alert.waitFor(STEP_LIMIT);
    holds(/used|old/.test(await alert.innerText()), 'it does not say why');
    await fresh.goto(`${base}/`);
    await fresh.getByRole('alert').waitFor(STEP_LIMIT);
    await other.close();
  });
}

async function follow(world) {
  const { report, page } = world;
  await report.check('the demo starts and its page follows it live', async () => {
    await page.getByRole('button', { name: 'Start the demo' }).click();
    await page.waitForURL('**/runs/**', STEP_LIMIT);
    world.run = new URL(page.url()).pathname.split('/').at(-1);
    await page.locator('[data-step]').first().waitFor(STEP_LIMIT);
    await page.locator('[data-live-state=live]').waitFor(STEP_LIMIT);
    holds(
      await page.getByText('Scripted', { exact: true }).first().isVisible(),
      'the script is not labelled',
    );
  });
  await report.check('the terminal shows what the commands print', async () => {
    await page.locator('.xterm-rows').getByText('failed').first().waitFor(STEP_LIMIT);
    await page.getByRole('button', { name: 'Plain transcript' }).click();
    const transcript = page.getByRole('region', { name: 'Transcript of all commands' });
    holds((await transcript.innerText()).includes('$ sh test.sh'), 'the transcript lacks the command');
    await page.getByRole('button', { name: 'Terminal', exact: true }).click();
  });
}

async function answer(world) {
  const { report, page, context, base, run } = world;
  await report.check('the question says in title, list and card that the run needs a person', async () => {
    await page.locator('[data-question]').waitFor(STEP_LIMIT);
    await page.waitForFunction(() => document.title.startsWith('(1) Needs you'));
    await page.locator('header [data-state=waiting]').waitFor();
    holds(
      await page.getByRole('link', { name: /Runs.*1 needs you/ }).isVisible(),
      'the rail does not count it',
    );
  });
  await hold(world, 'run with a question');
  const second = await context.newPage();
  await report.check('a second page shows the same log', async () => {
    await second.goto(`${base}/runs/${run}`);
    await second.locator('[data-question]').waitFor(STEP_LIMIT);
    await second.locator('[data-step]').first().waitFor(STEP_LIMIT);
    const steps = (where) => where.locator('[data-step]').count();
    equal(await steps(second), await steps(page), 'the number of steps');
  });
  await report.check('an answer closes the card here and is told there', async () => {
    const card = page.locator('[data-question]');
    await card.getByRole('button').first().click();
    await card.waitFor({ state: 'detached', ...STEP_LIMIT });
    await second.getByText(/Answered elsewhere by/).waitFor(STEP_LIMIT);
    await page.locator('[data-answer]').first().waitFor(STEP_LIMIT);
  });
  await second.close();
}

async function finish(world) {
  const { report, page } = world;
  await report.check('the run ends as done, with evidence and a branch', async () => {
    await page.locator('[data-result]').waitFor({ timeout: 120_000 });
    await page.locator('header [data-state=succeeded]').waitFor();
    const result = page.locator('[data-result]');
    holds(/passed after the last change/.test(await result.innerText()), 'there is no evidence');
    world.branch = (await result.locator('[data-branch]').innerText()).trim();
    holds(world.branch.startsWith('journeyman/'), `the branch is ${world.branch}`);
  });
  await report.check('a reload shows the same log', async () => {
    const before = await page.locator('[data-step]').count();
    await page.reload();
    await page.locator('[data-result]').waitFor(STEP_LIMIT);
    equal(await page.locator('[data-step]').count(), before, 'the number of steps');
  });
}

async function take(world) {
  const { report, page } = world;
  await report.check('the changes show files and lines', async () => {
    await page.getByRole('tab', { name: /Changes/ }).click();
    await page.waitForURL('**?tab=changes');
    const file = page.locator('[data-diff-file="lib/checkout.sh"]');
    await file.waitFor(STEP_LIMIT);
    holds((await file.innerText()).includes('"$coupon"'), 'the fix is not in the diff');
  });
  await report.check('the patch can be downloaded', async () => {
    const download = page.waitForEvent('download', STEP_LIMIT);
    await page.getByRole('link', { name: 'Patch' }).click();
    const path = await (await download).path();
    holds(readFileSync(path, 'utf8').includes('lib/checkout.sh'), 'the patch lacks the file');
  });
  await report.check('applying writes the files on disk', async () => {
    const view = await page.evaluate(
      (run) => fetch(`/v1/runs/${run}`).then((answer) => answer.json()),
      world.run,
    );
    // The first pricing has the coupon from the beginning; the fix gives it to the second.
    const file = () => readFileSync(join(view.repository, 'lib/checkout.sh'), 'utf8');
    const fixed = () => file().split('cart_total "$items" "$coupon"').length > 2;
    holds(existsSync(view.repository) && !fixed(), 'the working tree was touched before');
    await page.getByRole('button', { name: 'Apply to my working tree' }).last().click();
    await page.locator('[data-applied]').first().waitFor(STEP_LIMIT);
    holds(fixed(), 'the fix is not on disk');
    const branches = execFileSync('git', ['-C', view.repository, 'branch', '--list', world.branch], {
      encoding: 'utf8',
    });
    holds(branches.includes(world.branch), 'the branch is not in the repository');
    const test = execFileSync('sh', ['test.sh'], { cwd: view.repository, encoding: 'utf8' });
    holds(/ 0 failed/.test(test), 'the shop still fails its test');
  });
}
