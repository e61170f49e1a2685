/** The keyboard registry: what is registered here works, and stands on the sheet that `?` opens. */
import { useEffect, useRef } from 'react';
import { tinykeys } from 'tinykeys';
import { create } from 'zustand';

export interface Command {
  id: string;
  /** In tinykeys' notation: `g r`, `$mod+k`, `Shift+?`. */
  keys: string;
  scope: 'Everywhere' | 'Runs' | 'Run' | 'Question';
  label: string;
  run(): void;
  /** Bound by the element that has the focus, and only listed here. */
  local?: boolean;
}

interface KeyState {
  commands: Command[];
  /** Whether single letters act (WCAG 2.1.4). */
  letters: boolean;
  setLetters(on: boolean): void;
}

const STORED = 'journeyman.letters';

export const useKeys = create<KeyState>((set) => ({
  commands: [],
  letters: localStorage.getItem(STORED) !== 'off',
  setLetters: (letters) => {
    localStorage.setItem(STORED, letters ? 'on' : 'off');
    set({ letters });
  },
}));

/** Registers commands for as long as the component is shown. */
export function useCommands(commands: Command[]): void {
  const latest = useRef(commands);
  latest.current = commands;
  const signature = commands.map((command) => `${command.id} ${command.keys} ${command.label}`).join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the signature says when the set has changed
  useEffect(() => {
    const mine = latest.current.map((command, index) => ({
      ...command,
      run: () => latest.current[index]?.run(),
    }));
    useKeys.setState((state) => ({ commands: [...state.commands, ...mine] }));
    return () =>
      useKeys.setState((state) => ({ commands: state.commands.filter((entry) => !mine.includes(entry)) }));
  }, [signature]);
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('input, textarea, select, [contenteditable], .xterm') !== null;

const hasModifier = (keys: string): boolean => /\$mod|Control|Alt|Meta/.test(keys);

/** Binds the registry to the window; one place, bound again when the registry changes. */
export function useKeyboard(): void {
  const commands = useKeys((state) => state.commands);
  const letters = useKeys((state) => state.letters);
  useEffect(() => {
    const bindings: Record<string, (event: KeyboardEvent) => void> = {};
    for (const command of commands) {
      if (command.local || (!letters && !hasModifier(command.keys))) continue;
      bindings[command.keys] = (event) => {
        if (!hasModifier(command.keys) && (isTyping(event.target) || document.querySelector('[data-modal]')))
          return;
        event.preventDefault();
        command.run();
      };
    }
    return tinykeys(window, bindings);
  }, [commands, letters]);
}

const onMac = /Mac|iPhone|iPad/.test(navigator.platform);

/** Keys as people read them: `Ctrl K`, `G then R`. */
export function keyLabel(keys: string): string {
  return keys
    .split(' ')
    .map((chord) =>
      chord
        .split('+')
        .filter((key) => !(key === 'Shift' && chord.endsWith('?')))
        .map((key) => (key === '$mod' ? (onMac ? '⌘' : 'Ctrl') : key.length === 1 ? key.toUpperCase() : key))
        .join(' '),
    )
    .join(' then ');
}
