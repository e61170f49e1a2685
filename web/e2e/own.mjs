/** A repository of one's own, worked on by a script: live output, pause, steer, follow-up, refused apply, stop. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { holds } from './report.mjs';

const STEP_LIMIT = { timeout: 30_000 };

const SCENARIO = `
title = "counting"
goal = "Count to six."

[[turn]]
expect = "(?i)count"
say = "I count slowly, so that it can be watched."
calls = [{ tool = "bash", arguments = { command = "for i in 1 2 3 4 5 6; do echo tick $i; sleep 0.7; done" } }]

[[turn]]
delay_ms = 1500
say = "Now I write it down."
calls = [{ tool = "write_file", arguments = { path = "count.txt", content = "six\\n" } }]

[[turn]]
delay_ms = 800
say = "Counted to **six**. <img src=x onerror=document.title=1> [a link](javascript:alert(1)) ![picture](https://example.com/x.png)"
`;

function makeRepository(home) {
  const path = join(home, 'counting');
  mkdirSync(path);
  writeFileSync(join(path, 'README.md'), 'A place to count.\n');
  writeFileSync(join(home, 'counting.toml'), SCENARIO);
  const git = (...args) => execFileSync('git', ['-C', path, ...args], { stdio: 'pipe' });
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('-c', 'user.name=Mara', '-c', 'user.email=mara@example.com', 'commit', '-q', '-m', 'Begin');
  return { path, model: `scripted/${join(home, 'counting.toml')}` };
}

async function start({ page, base }, repository) {
  await page.goto(`${base}/?new=true`);
  await page.getByLabel('Goal').fill('Count to six, please.');
  await page.getByLabel('Repository', { exact: true }).selectOption({ label: 'A folder on this machine' });
  await page.getByLabel('Path of the repository').fill(repository.path);
  await page.getByLabel('Model', { exact: true }).selectOption({ label: 'Another model, by name' });
  await page.getByLabel('Name of the model').fill(repository.model);
  await page.getByLabel('Check command (optional)').fill('test -f count.txt');
  await page.getByRole('button', { name: 'Start the run' }).click();
  await page.waitForURL('**/runs/**', STEP_LIMIT);
}

const state = (page, name) => page.locator(`main header [data-state=${name}]`).waitFor(STEP_LIMIT);

export async function ownRepository(world) {
  const { report, page, journeyman } = world;
  const repository = makeRepository(journeyman.home);
  await report.check('a run on a folder of one’s own shows its output while it is printed', async () => {
    await start(world, repository);
    await page.locator('.xterm-rows').getByText('tick 2').waitFor(STEP_LIMIT);
    holds((await page.locator('[data-step=running]').count()) === 1, 'the step is not under way');
  });
  await report.check('a page that comes late sees the output from its beginning', async () => {
    await page.reload();
    await page.locator('.xterm-rows').getByText('tick 1').waitFor(STEP_LIMIT);
  });
  await report.check('it pauses, takes a message, and goes on', async () => {
    await page.getByRole('button', { name: 'Pause' }).click();
    await state(page, 'paused');
    await page.getByLabel('Message to the run').fill('Keep it short.');
    await page.keyboard.press('Control+Enter');
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('log').getByText('Keep it short.').waitFor(STEP_LIMIT);
  });
  await report.check('the check that was asked for is the evidence', async () => {
    await state(page, 'succeeded');
    await page.locator('[data-result]').getByText('test -f count.txt').waitFor(STEP_LIMIT);
    holds((await page.locator('[data-step]').count()) === 2, 'there are not two steps');
  });
  await report.check('what an agent writes is words, never a page', async () => {
    const log = page.getByRole('log');
    await log.getByText('onerror=document.title').waitFor(STEP_LIMIT);
    holds((await log.locator('img, script, iframe, [href^="javascript"]').count()) === 0, 'it became a page');
    holds((await log.locator('strong').getByText('six').count()) === 1, 'the emphasis is lost');
  });
  await report.check('uncommitted work is never overwritten, and the files are named', async () => {
    writeFileSync(join(repository.path, 'count.txt'), 'my own count\n');
    await page.getByRole('button', { name: 'Apply to my working tree' }).first().click();
    const alert = page.getByRole('alert');
    await alert.waitFor(STEP_LIMIT);
    holds(/would_overwrite/.test(await alert.innerText()), 'it is not refused for that reason');
    holds(
      await page.getByRole('list', { name: 'Files in the way' }).getByText('count.txt').isVisible(),
      'no file is named',
    );
  });
  await report.check('a follow-up that is off the script fails in a sentence', async () => {
    await page.getByLabel('Follow-up for this run').fill('Now sing.');
    await page.getByRole('button', { name: 'Continue' }).click();
    await state(page, 'failed');
    const result = await page.locator('[data-result]').innerText();
    holds(/only play the counting story/.test(result) && /off_script/.test(result), result);
  });
  await report.check('stopping asks once more and then ends the run', async () => {
    await start(world, repository);
    await page.locator('[data-step=running]').waitFor(STEP_LIMIT);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Stop the run' }).click();
    await state(page, 'cancelled');
  });
}
