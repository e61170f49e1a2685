/** The ceilings that people set most: turns, money, time. Empty means the server's own ceiling. */
import type { Limits } from '../../api/types';
import { Field } from '../../ui/Field';

export interface LimitText {
  turns: string;
  dollars: string;
  minutes: string;
}

export const NO_LIMITS: LimitText = { turns: '', dollars: '', minutes: '' };

const positive = (text: string): number | null => {
  const number = Number(text);
  return text.trim() !== '' && Number.isFinite(number) && number > 0 ? number : null;
};

/** The limits as the server takes them; what is empty is left out. */
export function limitsOf(text: LimitText): Partial<Limits> {
  const limits: Partial<Limits> = {};
  const [turns, dollars, minutes] = [positive(text.turns), positive(text.dollars), positive(text.minutes)];
  if (turns !== null) limits.max_turns = Math.round(turns);
  if (dollars !== null) limits.max_cost = Math.round(dollars * 1_000_000);
  if (minutes !== null) limits.max_seconds = Math.round(minutes * 60);
  return limits;
}

const FIELDS = [
  { name: 'turns', label: 'Turns', placeholder: '500' },
  { name: 'dollars', label: 'Cost, in dollars', placeholder: 'no limit' },
  { name: 'minutes', label: 'Working time, in minutes', placeholder: '240' },
] as const;

export function LimitFields({ value, onChange }: { value: LimitText; onChange(value: LimitText): void }) {
  return (
    <div className="grid sm:grid-cols-3 gap-3">
      {FIELDS.map(({ name, label, placeholder }) => (
        <Field key={name} label={label} htmlFor={`limit-${name}`}>
          <input
            id={`limit-${name}`}
            className="field num"
            inputMode="decimal"
            placeholder={placeholder}
            value={value[name]}
            onChange={(event) => onChange({ ...value, [name]: event.target.value })}
          />
        </Field>
      ))}
    </div>
  );
}
