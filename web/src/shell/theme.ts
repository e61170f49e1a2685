/** Light, dark, or as the system has it; remembered in this browser. */
import { create } from 'zustand';

export type Theme = 'light' | 'dark' | 'system';

const STORED = 'journeyman.theme';
const system = matchMedia('(prefers-color-scheme: dark)');

function stored(): Theme {
  const theme = localStorage.getItem(STORED);
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

const resolve = (theme: Theme): 'light' | 'dark' =>
  theme === 'system' ? (system.matches ? 'dark' : 'light') : theme;

interface ThemeState {
  theme: Theme;
  shown: 'light' | 'dark';
  choose(theme: Theme): void;
}

export const useTheme = create<ThemeState>((set) => ({
  theme: stored(),
  shown: resolve(stored()),
  choose: (theme) => {
    localStorage.setItem(STORED, theme);
    set({ theme, shown: resolve(theme) });
  },
}));

function show(): void {
  document.documentElement.dataset.theme = useTheme.getState().shown;
}

/** Shows the chosen theme and keeps following the system. */
export function followTheme(): void {
  show();
  useTheme.subscribe(show);
  system.addEventListener('change', () => {
    const { theme } = useTheme.getState();
    useTheme.setState({ shown: resolve(theme) });
  });
}
