/** The system's Chromium, and the two checks that every page must pass. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const ARGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const THEMES = ['light', 'dark'];
export const WIDTHS = [1440, 390];

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'];
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export function launch() {
  const executablePath = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: ARGS });
}

/** The page's size and theme, as a person would have them. */
export async function dress(page, theme, width) {
  await page.setViewportSize({ width, height: width < 768 ? 844 : 900 });
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(150);
}

/** What axe has against the page, one line a finding. */
export async function axeFindings(page) {
  // Not addScriptTag: the page's policy forbids inline scripts, and stays on.
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), TAGS);
  return violations.flatMap((violation) =>
    violation.nodes.map(
      (node) => `${violation.id}: ${node.target.join(' ')} (${node.failureSummary?.split('\n')[1]?.trim()})`,
    ),
  );
}

/** Elements that stick out of the viewport, unless an ancestor is marked as scrolling sideways. */
export function reflowFindings(page) {
  return page.evaluate(() => {
    const limit = document.documentElement.clientWidth + 0.5;
    const found = [];
    for (const element of document.body.querySelectorAll('*')) {
      if (element.closest('[data-scroll-x], .xterm, svg, .sr-only, .skip')) continue;
      const box = element.getBoundingClientRect();
      if (box.width === 0 || box.height === 0 || getComputedStyle(element).visibility === 'hidden') continue;
      if (box.right > limit)
        found.push(`${element.tagName.toLowerCase()}.${element.className} ends at ${box.right.toFixed(0)}`);
    }
    if (document.documentElement.scrollWidth > limit) found.push('the page scrolls sideways');
    return found;
  });
}
