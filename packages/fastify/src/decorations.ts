import type { Background, BareHandle, Client } from "@taskferry/core";
import "fastify";

/** `app.tasks`. */
export interface AppTasks extends Pick<Client, "enqueue" | "enqueueMany" | "handle"> {
  readonly client: Client;
  /** Runs a function in this process, soon. See `createBackground` of core. */
  readonly background: Background["background"];
}

/** `request.tasks`. */
export interface RequestTasks {
  /** `client.enqueue`, with what the plugin's `headers` says of the request. */
  readonly enqueue: Client["enqueue"];
  /** Runs a function in this process once the request is answered, or its connection has ended. Do not wait for it before. */
  readonly background: Background["background"];
}

declare module "fastify" {
  interface FastifyInstance {
    readonly tasks: AppTasks;
  }
  interface FastifyRequest {
    readonly tasks: RequestTasks;
  }
  interface FastifyReply {
    /** Answers 202 with the id of a task and, where the routes are there, its address as `location`. */
    accepted(handle: BareHandle): FastifyReply;
  }
}
