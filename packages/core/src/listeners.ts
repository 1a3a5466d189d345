import type { Unsubscribe } from "./broker.ts";
import type { TaskferryEvent } from "./events.ts";
import type { Middleware } from "./middleware.ts";

/** Has those middlewares hear what happens that want to. They have started. */
export function addListeners(
  middlewares: readonly Middleware[] | undefined,
  on: (listener: (event: TaskferryEvent) => void) => Unsubscribe,
): void {
  for (const middleware of middlewares ?? []) {
    const { listen } = middleware;
    if (listen !== undefined) on((event) => listen.call(middleware, event));
  }
}
