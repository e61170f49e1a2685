/** Each page in both themes and at both widths, and what pages say when things go wrong. */
import { createServer } from 'node:http';
import { axeFindings, dress, reflowFindings, THEMES, WIDTHS } from './browser.mjs';
import { holds } from './report.mjs';

const STEP_LIMIT = { timeout: 30_000 };
const out = new URL('./out/', import.meta.url).pathname;

export async function pagesHold(world) {
  await looks(world);
  await words(world);
  await breaks(world);
}

export async function hold({ report, page }, name) {
  for (const theme of THEMES)
    for (const width of WIDTHS)
      await report.check(`${name}, ${theme}, ${width} px: axe and reflow find nothing`, async () => {
        await dress(page, theme, width);
        await page.screenshot({ path: `${out}${name.replaceAll(' ', '-')}-${theme}-${width}.png` });
        const findings = [...(await axeFindings(page)), ...(await reflowFindings(page))];
        holds(findings.length === 0, findings.join('\n'));
      });
  await dress(page, 'light', 1440);
}

async function looks(world) {
  const { page, base, run } = world;
  await page.goto(`${base}/welcome`);
  await page.getByRole('button', { name: 'Start the demo' }).waitFor(STEP_LIMIT);
  await hold(world, 'welcome');
  await page.getByLabel('Use a provider key').check();
  await page.getByLabel('Provider', { exact: true }).waitFor(STEP_LIMIT);
  await hold(world, 'welcome with a key');
  await page.goto(`${base}/`);
  await page.locator('[data-run]').first().waitFor(STEP_LIMIT);
  await hold(world, 'runs');
  await page.goto(`${base}/?new=true`);
  await page.getByLabel('Goal').waitFor(STEP_LIMIT);
  await hold(world, 'new run');
  await page.goto(`${base}/runs/${run}`);
  await page.locator('[data-result]').waitFor(STEP_LIMIT);
  await hold(world, 'run');
  for (const tab of ['terminal', 'changes', 'files']) {
    await page.goto(`${base}/runs/${run}?tab=${tab}`);
    await page.getByRole('tab', { name: new RegExp(tab, 'i'), selected: true }).waitFor(STEP_LIMIT);
    await page.waitForTimeout(500);
    await hold(world, `run ${tab}`);
  }
  await page.goto(`${base}/settings`);
  await page.getByText('Database').waitFor(STEP_LIMIT);
  await hold(world, 'settings');
}

const WORDS = 'invalid x-api-key, says the provider';

/** A provider that knows no key. */
async function refusingProvider() {
  const server = createServer((_request, response) => {
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ type: 'error', error: { type: 'authentication_error', message: WORDS } }));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

async function words({ report, page, base }) {
  await report.check('an unknown run says so and what to do', async () => {
    await page.goto(`${base}/runs/999999`);
    const alert = page.getByRole('alert');
    await alert.waitFor(STEP_LIMIT);
    holds((await alert.innerText()).includes('run_not_found'), 'the code is missing');
  });
  await report.check('a folder that is no repository is refused in words', async () => {
    await page.goto(`${base}/?new=true`);
    await page.getByLabel('Goal').fill('Mend it');
    await page.getByLabel('Repository', { exact: true }).selectOption({ label: 'A folder on this machine' });
    await page.getByLabel('Path of the repository').fill('/nowhere/at/all');
    await page.getByLabel('Model', { exact: true }).selectOption({ label: 'Another model, by name' });
    await page.getByLabel('Name of the model').fill('anthropic/none');
    await page.getByRole('button', { name: 'Start the run' }).click();
    await page.getByRole('alert').waitFor(STEP_LIMIT);
  });
  await report.check('a key that the provider refuses is told in the provider’s own words', async () => {
    const provider = await refusingProvider();
    await page.goto(`${base}/welcome`);
    await page.getByLabel('Use a provider key').check();
    await page.getByLabel('Provider', { exact: true }).selectOption('anthropic');
    await page.getByLabel('Key for anthropic').fill('sk-ant-wrong');
    await page.getByLabel('Address (optional)').fill(provider.url);
    await page.getByRole('button', { name: 'Store the key' }).click();
    await page.getByRole('button', { name: 'Test it' }).click();
    await page.getByText(WORDS).waitFor(STEP_LIMIT);
    provider.close();
  });
  await report.check('the key sheet opens with a question mark and goes with Escape', async () => {
    await page.goto(`${base}/`);
    await page.locator('[data-run]').first().waitFor(STEP_LIMIT);
    await page.keyboard.press('Shift+?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor(STEP_LIMIT);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor({ state: 'detached', ...STEP_LIMIT });
  });
  await report.check('the first Tab reaches the way past the navigation', async () => {
    await page.goto(`${base}/`);
    await page.locator('[data-run]').first().waitFor(STEP_LIMIT);
    await page.keyboard.press('Tab');
    holds(
      await page.evaluate(() => document.activeElement?.textContent === 'Skip to content'),
      'it does not',
    );
  });
}

async function breaks({ report, journeyman, page, base, run, context }) {
  await report.check('a server that goes away is told, and one that comes back is found', async () => {
    await page.goto(`${base}/runs/${run}`);
    await page.locator('[data-live-state=live]').waitFor(STEP_LIMIT);
    await journeyman.stop();
    await page.getByText(/Reconnecting, last update \d/).waitFor(STEP_LIMIT);
    await journeyman.start(new URL(base).host);
    await page.locator('[data-live-state=live]').waitFor(STEP_LIMIT);
    holds(await page.locator('[data-result]').isVisible(), 'the log is gone');
  });
  await report.check('a login that has ended is told, not waited for', async () => {
    await page.goto(`${base}/runs/${run}`);
    await page.locator('[data-live-state=live]').waitFor(STEP_LIMIT);
    await page.evaluate(() => fetch('/v1/logout', { method: 'POST' }));
    await context.clearCookies();
    await journeyman.stop();
    await journeyman.start(new URL(base).host);
    await page.getByText('This browser is not signed in.').waitFor(STEP_LIMIT);
  });
}
