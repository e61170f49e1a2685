/** A rule made in the settings, the approval that it asks for, allowed once and refused once. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { holds } from './report.mjs';

const STEP_LIMIT = { timeout: 30_000 };

const SCENARIO = `
title = "printing"

[[turn]]
say = "I ask the printer."
calls = [{ tool = "bash", arguments = { command = "echo printed >> paper.txt" } }]

[[turn]]
calls = [{ tool = "bash", arguments = { command = "echo done >> f.txt" } }]

[[turn]]
say = "Done."
`;

export async function approvals(world) {
  const { report, page, journeyman, base } = world;
  const path = join(journeyman.home, 'printing');
  mkdirSync(path);
  writeFileSync(join(path, 'README.md'), 'A place to print.\n');
  writeFileSync(join(journeyman.home, 'printing.toml'), SCENARIO);
  const git = (...args) => execFileSync('git', ['-C', path, ...args], { stdio: 'pipe' }).toString();
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('-c', 'user.name=Mara', '-c', 'user.email=mara@example.com', 'commit', '-q', '-m', 'Begin');
  const post = (address, data) => page.request.post(`${base}${address}`, { data, headers: { origin: base } });

  await report.check('a rule is made in the settings', async () => {
    const made = await post('/v1/projects', { path, name: 'Printing' });
    holds(made.status() === 201, `the project: ${made.status()}`);
    await page.goto(`${base}/settings`);
    await page.getByLabel('Project', { exact: true }).selectOption({ label: 'Printing' });
    await page.getByLabel('Command or path, * for any text').fill('echo printed*');
    await page.getByRole('button', { name: 'Add the rule' }).click();
    const rule = page.getByRole('list', { name: 'Rules' }).getByText('echo printed*');
    await rule.waitFor(STEP_LIMIT);
  });

  const start = async () => {
    const model = `scripted/${join(journeyman.home, 'printing.toml')}`;
    const made = await post('/v1/runs', { goal: 'Print it.', repository: path, model, attended: 'yes' });
    const run = await made.json();
    holds(made.status() === 201, JSON.stringify(run));
    await page.goto(`${base}/runs/${run.id}`);
    await page.locator('main header [data-state=waiting]').waitFor(STEP_LIMIT);
    return run.id;
  };
  const files = async (id) => {
    await page.locator('main header [data-state=succeeded]').waitFor(STEP_LIMIT);
    const run = await (await page.request.get(`${base}/v1/runs/${id}`)).json();
    return git('ls-tree', '--name-only', run.branch).trim().split('\n');
  };

  await report.check('a call that a rule speaks of waits for a person, who allows it', async () => {
    const run = await start();
    await page.getByText('echo printed >> paper.txt').first().waitFor(STEP_LIMIT);
    await page.getByRole('button', { name: 'Allow once' }).click();
    const found = await files(run);
    holds(found.includes('paper.txt') && found.includes('f.txt'), found.join());
  });
  await report.check('a call that a person refuses does not run, and the run goes on', async () => {
    const run = await start();
    await page.getByRole('button', { name: 'Refuse and say why' }).click();
    await page.getByLabel('Why it may not run').fill('No paper.');
    await page.getByRole('button', { name: 'Refuse', exact: true }).click();
    const found = await files(run);
    holds(!found.includes('paper.txt') && found.includes('f.txt'), found.join());
  });
  await report.check('a rule that is removed asks no more', async () => {
    await page.goto(`${base}/settings`);
    await page.getByLabel('Project', { exact: true }).selectOption({ label: 'Printing' });
    await page.getByRole('list', { name: 'Rules' }).getByRole('button', { name: 'Remove' }).click();
    await page.getByText('No rule: every call runs.').waitFor(STEP_LIMIT);
  });
}
