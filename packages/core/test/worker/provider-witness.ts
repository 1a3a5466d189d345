import { type Logger, type Provider, provide, silentLogger } from "../../src/index.ts";

/** A provider that writes down what happens to it. */
export function witness<
  TScope extends "task" | "worker",
  const TNeeds extends Readonly<Record<string, Provider<string, "worker">>>,
>(
  name: string,
  notes: string[],
  options: {
    readonly scope: TScope;
    readonly eager?: TScope extends "worker" ? boolean : false;
    readonly needs?: TNeeds;
  },
): Provider<string, TScope> {
  let made = 0;
  return provide(
    name,
    async function* (): AsyncGenerator<string> {
      made += 1;
      notes.push(`${name} ${made} made`);
      try {
        yield `${name} ${made}`;
        notes.push(`${name} ended`);
      } catch (error) {
        notes.push(`${name} failed: ${(error as Error).message}`);
        throw error;
      }
    },
    options as never,
  ) as Provider<string, TScope>;
}

/** Writes down what is logged as an error. */
export function errorLog(errors: object[]): Logger {
  const logger: Logger = { ...silentLogger, error: (fields) => void errors.push(fields), child: () => logger };
  return logger;
}
