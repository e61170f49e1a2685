/** States a goal for a repository and starts a run on it. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { asProblem, newIdempotencyKey, request } from '../../api/client';
import { modelsQuery, projectsQuery, rememberRun } from '../../api/queries';
import type { Models, NewRun, Project, Run } from '../../api/types';
import { Button } from '../../ui/Button';
import { Check, Field } from '../../ui/Field';
import { ErrorPanel, Loading } from '../../ui/states';
import { LimitFields, type LimitText, limitsOf, NO_LIMITS } from './LimitFields';
import { ModelSelect, usableModels } from './ModelSelect';
import { runPath } from './path';

interface Props {
  cancel?: () => void;
  /** A model that was just connected. */
  model?: string;
  project?: string;
}

export function NewRunForm(props: Props) {
  const models = useQuery(modelsQuery);
  const projects = useQuery(projectsQuery);
  if (models.error)
    return (
      <ErrorPanel
        error={models.error}
        title="The models could not be read."
        retry={() => void models.refetch()}
      />
    );
  if (!models.data || projects.isPending) return <Loading label="Loading the form" rows={5} />;
  return <Form {...props} models={models.data} projects={projects.data?.items ?? []} />;
}

const ANOTHER = ':path';

function firstModel(models: Models): string {
  const usable = usableModels(models);
  return usable.find((name) => name === models.default) ?? usable[0] ?? '';
}

function Form({
  cancel,
  model: given,
  project,
  models,
  projects,
}: Props & { models: Models; projects: Project[] }) {
  const navigate = useNavigate();
  const [goal, setGoal] = useState('');
  const [place, setPlace] = useState(project ?? projects[0]?.slug ?? ANOTHER);
  const [path, setPath] = useState('');
  const [model, setModel] = useState(given ?? firstModel(models));
  const [check, setCheck] = useState('');
  const [dirty, setDirty] = useState(false);
  const [apply, setApply] = useState(false);
  const [limits, setLimits] = useState<LimitText>(NO_LIMITS);
  const [key, setKey] = useState(newIdempotencyKey);
  const start = useMutation({
    mutationFn: (body: NewRun) => request<Run>('POST', '/v1/runs', { body, idempotencyKey: key }),
    onSuccess: (run) => {
      rememberRun(run);
      void navigate(runPath(run));
    },
    // Where no answer came the run may have started: the same key finds it again.
    onError: (error) => {
      if (asProblem(error).status !== 0) setKey(newIdempotencyKey());
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const body: NewRun = { goal: goal.trim(), model, dirty, apply };
    if (place === ANOTHER) body.repository = path.trim();
    else body.project = place;
    if (check.trim() !== '') body.check = check.trim();
    const chosen = limitsOf(limits);
    if (Object.keys(chosen).length > 0) body.limits = chosen;
    start.mutate(body);
  };
  const incomplete = goal.trim() === '' || model === '' || (place === ANOTHER && path.trim() === '');
  return (
    <form onSubmit={submit} className="panel p-4 md:p-5 flex flex-col gap-4 max-w-[720px]">
      <Field label="Goal" htmlFor="goal" hint="What should be true when the run is done.">
        <textarea
          id="goal"
          className="field"
          rows={3}
          required
          value={goal}
          onChange={(event) => setGoal(event.target.value)}
          aria-describedby="goal-hint"
        />
      </Field>
      <div className="grid md:grid-cols-2 gap-4">
        <div className="flex flex-col gap-2">
          <Field label="Repository" htmlFor="place">
            <select
              id="place"
              className="field"
              value={place}
              onChange={(event) => setPlace(event.target.value)}
            >
              {projects.map((entry) => (
                <option key={entry.id} value={entry.slug}>
                  {entry.name}
                </option>
              ))}
              <option value={ANOTHER}>A folder on this machine</option>
            </select>
          </Field>
          {place === ANOTHER && (
            <input
              aria-label="Path of the repository"
              className="field font-mono"
              placeholder="/home/you/project"
              value={path}
              onChange={(event) => setPath(event.target.value)}
            />
          )}
        </div>
        <Field label="Model" htmlFor="model">
          <ModelSelect id="model" models={models} value={model} onChange={setModel} />
          {usableModels(models).length === 0 && (
            <p className="text-xs text-ink-2 mt-1">
              No model is connected yet.{' '}
              <Link to="/welcome" search={{ pick: 'key' }} className="link">
                Connect one
              </Link>
            </p>
          )}
        </Field>
      </div>
      <Field
        label="Check command (optional)"
        htmlFor="check"
        hint="Run by us after the last change. Empty: found in the repository, where it has one."
      >
        <input
          id="check"
          className="field font-mono"
          value={check}
          placeholder={projects.find((entry) => entry.slug === place)?.check ?? 'npm test'}
          onChange={(event) => setCheck(event.target.value)}
        />
      </Field>
      <details className="group">
        <summary className="text-sm text-ink-2 min-h-6">Limits and how the result comes out</summary>
        <div className="mt-3 flex flex-col gap-3">
          <LimitFields value={limits} onChange={setLimits} />
          <Check
            label="Take uncommitted changes along"
            hint="Otherwise the run starts from the last commit."
            checked={dirty}
            onChange={setDirty}
          />
          <Check
            label="Write the result into my working tree when it has succeeded"
            hint="Otherwise it waits on a branch of its own."
            checked={apply}
            onChange={setApply}
          />
        </div>
      </details>
      {start.error && <ErrorPanel compact error={start.error} title="The run was not started." />}
      <div className="flex gap-2">
        <Button kind="solid" type="submit" disabled={incomplete || start.isPending}>
          {start.isPending ? 'Starting' : 'Start the run'}
        </Button>
        {cancel && <Button onClick={cancel}>Cancel</Button>}
      </div>
    </form>
  );
}
