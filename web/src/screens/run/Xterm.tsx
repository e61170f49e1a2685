/** xterm, read only: it is written to as commands print, and drawn anew when what was shown has changed. */
import '@xterm/xterm/css/xterm.css';
import { FitAddon } from '@xterm/addon-fit';
import { type ITheme, Terminal } from '@xterm/xterm';
import { useEffect, useRef } from 'react';
import type { Command } from '../../log/blocks';
import { useTheme } from '../../shell/theme';
import { chunkAfter, type Written } from './terminalText';

const SCROLLBACK_LINES = 10_000;

const INKS = {
  light: {
    green: '#2a5f34',
    red: '#96291b',
    cyan: '#0c5671',
    blue: '#0c5671',
    yellow: '#754700',
    magenta: '#544785',
  },
  dark: {
    green: '#8fc48f',
    red: '#ee8b78',
    cyan: '#7cc0d8',
    blue: '#7cc0d8',
    yellow: '#e6bb68',
    magenta: '#c2b3ea',
  },
};

function themeOf(shown: 'light' | 'dark'): ITheme {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(name).trim();
  return {
    background: token('--term-bg'),
    foreground: token('--term-fg'),
    cursor: token('--term-bg'),
    selectionBackground: token('--selected'),
    brightBlack: token('--term-dim'),
    overviewRulerBorder: token('--term-bg'),
    scrollbarSliderBackground: token('--line'),
    scrollbarSliderHoverBackground: token('--line-strong'),
    scrollbarSliderActiveBackground: token('--line-strong'),
    ...INKS[shown],
  };
}

export function Xterm({ commands }: { commands: Command[] }) {
  const box = useRef<HTMLDivElement>(null);
  const terminal = useRef<Terminal | null>(null);
  const written = useRef<Written>({ commands: [], characters: 0 });
  const shown = useTheme((state) => state.shown);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const xterm = open(element);
    terminal.current = xterm.terminal;
    written.current = { commands: [], characters: 0 };
    return () => {
      terminal.current = null;
      xterm.close();
    };
  }, []);

  useEffect(() => {
    if (terminal.current) terminal.current.options.theme = themeOf(shown);
  }, [shown]);

  useEffect(() => {
    const chunk = chunkAfter(written.current, commands);
    if (chunk.redraw) terminal.current?.reset();
    if (chunk.text !== '') terminal.current?.write(chunk.text);
    written.current = chunk.written;
  }, [commands]);

  return <div ref={box} className="h-full w-full bg-term overflow-hidden" />;
}

function open(element: HTMLElement): { terminal: Terminal; close(): void } {
  const terminal = new Terminal({
    fontFamily: '"JetBrains Mono Variable", monospace',
    fontSize: 12,
    lineHeight: 1.45,
    convertEol: true,
    cursorBlink: false,
    cursorInactiveStyle: 'none',
    disableStdin: true,
    screenReaderMode: false,
    scrollback: SCROLLBACK_LINES,
    overviewRuler: { width: 8 },
    minimumContrastRatio: 4.5,
    // A link in a command's output leads nowhere from here.
    linkHandler: { activate: () => {} },
    theme: themeOf(useTheme.getState().shown),
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element);
  const input = element.querySelector('textarea');
  input?.setAttribute(
    'aria-label',
    'Terminal, read only. Tab leaves it. The plain transcript has the same text.',
  );
  terminal.attachCustomKeyEventHandler((event) => event.key !== 'Tab');
  const resize = () => fit.fit();
  void document.fonts.ready.then(resize);
  const sizes = new ResizeObserver(resize);
  sizes.observe(element);
  return {
    terminal,
    close: () => {
      sizes.disconnect();
      terminal.dispose();
    },
  };
}
