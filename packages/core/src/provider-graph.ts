import { ConfigurationError } from "./errors.ts";
import { isProvider, type Provider } from "./provider.ts";

/** Whoever needs providers: a handler, or another provider. */
interface Needy {
  readonly title: string;
  readonly needs: Readonly<Record<string, unknown>>;
}

type Overridden = ReadonlyMap<Provider, unknown>;

interface Walk {
  readonly overrides: Overridden;
  /** Those that are sound, after all that they need. */
  readonly found: Set<Provider>;
  readonly cycles: Set<string>;
  readonly faults: Set<string>;
}

/**
 * All providers that `handlers` come to, each after those it needs. What is overridden needs nothing.
 *
 * @throws ConfigurationError with all problems: `PROVIDER_CYCLE` when cycles are all that is wrong, else `CONFIGURATION_INVALID`.
 */
export function collectProviders(
  handlers: Iterable<{ readonly task: { readonly name: string }; readonly needs: Needy["needs"] | undefined }>,
  overrides: Overridden,
): readonly Provider[] {
  const walk: Walk = { overrides, found: new Set(), cycles: new Set(), faults: new Set() };
  for (const { task, needs } of handlers)
    if (needs !== undefined) visitNeeds({ title: `the handler of ${task.name}`, needs }, [], walk);
  const problems = [...walk.cycles, ...walk.faults];
  if (problems.length === 0) return [...walk.found];
  throw new ConfigurationError(walk.faults.size === 0 ? "PROVIDER_CYCLE" : "CONFIGURATION_INVALID", problems);
}

function visitNeeds({ title, needs }: Needy, path: readonly Provider[], walk: Walk): void {
  for (const name of Object.keys(needs)) {
    const need = needs[name];
    if (isProvider(need)) visit(need, path, walk);
    else
      walk.faults.add(
        `providers: ${title} needs "${name}": expected a value made by provide(), got ${need === undefined ? "undefined. In modules that import each other, give it as a getter: { get name() { return provider; } }" : typeof need}.`,
      );
  }
}

function visit(provider: Provider, path: readonly Provider[], walk: Walk): void {
  const needy = path.at(-1);
  if (needy?.scope === "worker" && provider.scope === "task")
    walk.faults.add(
      `providers: "${needy.name}" lives as long as the worker and needs "${provider.name}", which lives for one task. Give "${needy.name}" the scope "task".`,
    );
  if (walk.found.has(provider) || walk.overrides.has(provider)) return;
  const first = path.indexOf(provider);
  if (first >= 0) {
    const round = [...path.slice(first), provider].map(({ name }) => `"${name}"`).join(" needs ");
    walk.cycles.add(`providers: ${round}. Cut the circle: let one of them be given what it needs later.`);
    return;
  }
  visitNeeds({ title: `the provider "${provider.name}"`, needs: provider.needs }, [...path, provider], walk);
  walk.found.add(provider);
}
