import { type Connectable, countedLifecycle, type TaskferryError } from "@taskferry/core";
import { closed, FileFault, toError } from "./file-fault.ts";
import type { FileLink, LinkEvent, RequestOptions } from "./link.ts";
import type { Input, OperationName, Output, ThreadOptions } from "./protocol.ts";

/** How a broker, a result backend or a state store uses its file. */
export interface FileUse extends Connectable {
  readonly isOpen: () => boolean;
  readonly link: FileLink;
  /** Asks within the configured timeout. @throws TaskferryError */
  call<K extends OperationName>(operation: K, input: Input<K>, options?: RequestOptions): Promise<Output<K>>;
  /** Asks for as long as it takes, or until it is closed; answered with nothing then. @throws TaskferryError */
  wait<K extends OperationName>(operation: K, input: Input<K>, options: RequestOptions): Promise<Output<K>>;
  /** What a user is told of a failed call. */
  toError(error: unknown): TaskferryError;
}

export interface FileUseParts {
  readonly link: FileLink;
  readonly options: ThreadOptions;
  /** Names it in errors. */
  readonly what: string;
  readonly onOpen?: () => void;
  /** Ends what still uses it. */
  readonly onShut?: () => Promise<void>;
  readonly onEvent?: (event: LinkEvent) => void;
}

export function createFileUse({ link, options, what, onOpen, onShut, onEvent }: FileUseParts): FileUse {
  const explain = (error: unknown): TaskferryError => toError(error, what, options.path);
  const cancels = new Set<() => void>();
  let forget: (() => void) | undefined;
  const lifecycle = countedLifecycle({
    open: async () => {
      await link.connect().catch((error: unknown) => Promise.reject(explain(error)));
      if (onEvent !== undefined) forget = link.on(onEvent);
      onOpen?.();
    },
    shut: async () => {
      forget?.();
      for (const cancel of [...cancels]) cancel();
      await onShut?.();
      await link.close();
    },
  });
  const ask = async <K extends OperationName>(
    operation: K,
    input: Input<K>,
    request: RequestOptions,
  ): Promise<Output<K>> => {
    // The link may be open still, for others.
    if (!lifecycle.isOpen()) throw explain(new FileFault(closed));
    return link.request(operation, input, request).catch((error: unknown) => Promise.reject(explain(error)));
  };
  return {
    ...lifecycle,
    link,
    toError: explain,
    wait: (operation, input, request) => ask(operation, input, { ...request, cancels }),
    call: (operation, input, request) => ask(operation, input, { timeout: options.timeout, ...request }),
  };
}
