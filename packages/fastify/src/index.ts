// biome-ignore-all assist/source/organizeImports: in the order of use, as a table of contents

// The plugin
export type { TaskferryConfig, TaskferryOptions } from "./plugin.ts";
export { taskferry } from "./plugin.ts";

// What applications, requests and replies get
export type { AppTasks, RequestTasks } from "./decorations.ts";

// Routes
export type { Access, Authorize, RoutesOptions } from "./routes.ts";
export type { TaskView } from "./task-view.ts";
