import { defineTask } from "@taskferry/core";

// The tasks of which the documentation speaks.
export const resize = defineTask<{ path: string; width: number }, { path: string }>("image.resize");
export const welcome = defineTask<{ email: string }>("mail.welcome");
