/** Light or dark, and whether single letters act. */
import { useKeys } from '../../shell/keys';
import { type Theme, useTheme } from '../../shell/theme';
import { Check } from '../../ui/Field';

const THEMES: { value: Theme; label: string }[] = [
  { value: 'system', label: 'As the system has it' },
  { value: 'light', label: 'Light' },
  { value: 'dark', label: 'Dark' },
];

export function Appearance() {
  const { theme, choose } = useTheme();
  const { letters, setLetters } = useKeys();
  return (
    <div className="flex flex-col gap-4">
      <fieldset>
        <legend className="text-sm font-[560] mb-1">Theme</legend>
        <div className="flex flex-wrap gap-x-5 gap-y-1">
          {THEMES.map(({ value, label }) => (
            <label key={value} className="flex items-center gap-2 text-sm min-h-8 cursor-pointer">
              <input
                type="radio"
                name="theme"
                className="size-4 accent-[var(--action)]"
                checked={theme === value}
                onChange={() => choose(value)}
              />
              {label}
            </label>
          ))}
        </div>
      </fieldset>
      <Check
        label="Single letters are shortcuts"
        hint="Press ? to see them. Keys with Ctrl or ⌘ always work."
        checked={letters}
        onChange={setLetters}
      />
    </div>
  );
}
