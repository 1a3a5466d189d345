import { measuredOption } from "./supervision.ts";

/** Options that are for the supervisor, and whether a value follows them. */
const supervisorOptions: Readonly<Record<string, boolean>> = {
  "--watch": false,
  "--processes": true,
  "--health-port": true,
  "--health-host": true,
  "--metrics-port": true,
  "--metrics-host": true,
};

/** The command line of a worker process: that of its supervisor without what is for the supervisor itself. */
export function childArguments(args: readonly string[]): readonly string[] {
  const kept: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] as string;
    const [name = "", value] = arg.split("=", 2);
    const takesValue = supervisorOptions[name];
    if (takesValue === undefined) kept.push(arg);
    else if (takesValue && value === undefined) index += 1;
    if (name === "--metrics-port") kept.push(measuredOption);
  }
  return kept;
}
