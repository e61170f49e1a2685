/** Copies a text, and says whether that worked. */
import { Check, Copy } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Button } from '../../ui/Button';

type Outcome = 'idle' | 'copied' | 'refused';

const BACK_AFTER_MS = 2_500;

export function CopyButton({ text, children }: { text: string; children: ReactNode }) {
  const [outcome, setOutcome] = useState<Outcome>('idle');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome('copied');
    } catch {
      setOutcome('refused');
    }
    setTimeout(() => setOutcome('idle'), BACK_AFTER_MS);
  };
  return (
    <Button onClick={() => void copy()} title={text}>
      {outcome === 'copied' ? <Check size={14} aria-hidden="true" /> : <Copy size={14} aria-hidden="true" />}
      <span aria-live="polite">
        {outcome === 'copied' ? 'Copied' : outcome === 'refused' ? `Not copied: ${text}` : children}
      </span>
    </Button>
  );
}
