/** The one polite announcer: at most one sentence in five seconds, the newest wins. */
import { useEffect, useState } from 'react';
import { create } from 'zustand';

const useAnnouncement = create<{ text: string }>(() => ({ text: '' }));

/** Says a sentence to those who listen instead of look. */
export function announce(text: string): void {
  useAnnouncement.setState({ text });
}

const PAUSE_MS = 5_000;

export function Announcer() {
  const wanted = useAnnouncement((state) => state.text);
  const [said, setSaid] = useState({ text: '', atMs: 0 });
  useEffect(() => {
    if (wanted === said.text) return;
    const wait = Math.max(0, said.atMs + PAUSE_MS - Date.now());
    const timer = setTimeout(() => setSaid({ text: wanted, atMs: Date.now() }), wait);
    return () => clearTimeout(timer);
  }, [wanted, said]);
  return (
    <div role="status" aria-live="polite" className="sr-only">
      {said.text}
    </div>
  );
}
