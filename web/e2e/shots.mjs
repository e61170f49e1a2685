/** Pictures of every page in both themes and widths, from the server at JOURNEYMAN_URL (the mock, by default). */
import { mkdirSync } from 'node:fs';
import { axeFindings, dress, launch, reflowFindings, THEMES, WIDTHS } from './browser.mjs';

const base = process.env.JOURNEYMAN_URL ?? 'http://127.0.0.1:4000';
const out = new URL('./out/', import.meta.url).pathname;
mkdirSync(out, { recursive: true });

const browser = await launch();
const page = await browser.newPage();
page.on('pageerror', (error) => console.log(`page error: ${error.message}`));
page.on('console', (message) => message.type() === 'error' && console.log(`console: ${message.text()}`));

async function shoot(name) {
  for (const theme of THEMES)
    for (const width of WIDTHS) {
      await dress(page, theme, width);
      await page.screenshot({ path: `${out}${name}-${theme}-${width}.png` });
      for (const finding of [...(await axeFindings(page)), ...(await reflowFindings(page))])
        console.log(`${name} ${theme} ${width}: ${finding}`);
    }
  await dress(page, 'light', 1440);
}

await page.goto(`${base}/welcome#t=${process.env.TICKET ?? 'mock'}`);
await page.getByRole('button', { name: 'Start the demo' }).waitFor();
await shoot('welcome');
await page.getByLabel('Use a provider key').check();
await shoot('welcome-key');
await page.getByLabel('Use a model on this machine').check();
await shoot('welcome-local');
await page.getByLabel('Watch the demo').check();
await page.getByRole('button', { name: 'Start the demo' }).click();
await page.waitForURL('**/runs/**');
await page.waitForSelector('[data-step]');
await shoot('run-working');
await page.waitForSelector('[data-question]', { timeout: 60_000 });
await shoot('run-question');
await page.locator('[data-question=decision] button').first().click();
await page.waitForSelector('[data-question=approval], [data-result]', { timeout: 60_000 });
if (await page.locator('[data-question=approval]').isVisible()) {
  await shoot('run-approval');
  await page.getByRole('button', { name: 'Allow once' }).click();
}
await page.waitForSelector('[data-result]', { timeout: 60_000 });
await shoot('run-done');
for (const tab of ['Changes', 'Files', 'Terminal']) {
  await page.getByRole('tab', { name: tab }).click();
  await page.waitForTimeout(400);
  await shoot(`run-${tab.toLowerCase()}`);
}
await page.goto(`${base}/`);
await page.waitForSelector('[data-run]');
await shoot('runs');
await page.goto(`${base}/?new=true`);
await page.getByLabel('Goal').waitFor();
await shoot('runs-new');
await page.goto(`${base}/settings`);
await page.getByText('Data').first().waitFor();
await page.waitForTimeout(300);
await shoot('settings');
await browser.close();
