import { onTestFinished } from "vitest";
import { type ClientConfig, createClient, defineTask } from "../../src/index.ts";

export const echo = defineTask<unknown, unknown>("echo");
export const echoes = echo.handler((input) => input);

/** A client that is closed when the test ends. */
export async function clientOf<const TConfig extends ClientConfig>(config: TConfig) {
  const client = await createClient(config);
  onTestFinished(() => client.close());
  return client;
}
