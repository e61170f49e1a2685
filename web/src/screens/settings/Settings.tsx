/** The few things that can be set: models and keys, tokens, looks and keys, and what this machine can do. */
import { type ReactNode, useEffect } from 'react';
import { Appearance } from './Appearance';
import { Machine } from './Machine';
import { ModelSettings } from './ModelSettings';
import { Rules } from './Rules';
import { Tokens } from './Tokens';

export function Settings() {
  useEffect(() => {
    document.title = 'Settings · Journeyman';
  }, []);
  return (
    <div className="h-full overflow-y-auto">
      <div className="max-w-[760px] mx-auto px-6 max-md:px-4 py-6">
        <h1 className="font-serif text-2xl max-md:text-xl tracking-[-.015em]">Settings</h1>
        <Section title="Models" about="Who thinks in new runs, and the keys for it.">
          <ModelSettings />
        </Section>
        <Section
          title="Rules"
          about="What tools may do in a project’s runs. The strictest rule that fits a call counts; without one it runs."
        >
          <Rules />
        </Section>
        <Section title="Access tokens" about="For the API and for tools other than this page.">
          <p className="text-sm mb-3">
            <a href="/docs/api" className="link">
              What the API offers
            </a>
          </p>
          <Tokens />
        </Section>
        <Section title="Appearance and keyboard">
          <Appearance />
        </Section>
        <Section title="This machine" about="What journeyman doctor sees.">
          <Machine />
        </Section>
      </div>
    </div>
  );
}

function Section({ title, about, children }: { title: string; about?: string; children: ReactNode }) {
  return (
    <section className="mt-8 pt-5 border-t border-line">
      <h2 className="font-serif text-lg">{title}</h2>
      {about && <p className="text-sm text-ink-2">{about}</p>}
      <div className="mt-3">{children}</div>
    </section>
  );
}
