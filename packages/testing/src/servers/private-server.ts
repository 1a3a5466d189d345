/**
 * A server that a test starts for itself and may do anything to.
 *
 * It listens on a free port of 127.0.0.1 and keeps its files in a temporary directory of its own. Port, password and
 * files stay the same from one `start()` to the next, so that what a client does while its server is away, and what
 * the server still knows when it is back, can be tested.
 *
 * It is a child of the process that started it and never outlives it, not even when that process is killed by SIGKILL:
 * server and directory are then removed within moments.
 *
 * Every call that starts or ends the server waits until that is so: after `start()` it answers in its own protocol,
 * after `kill()` and `stop()` it is gone and its port is closed. One such call at a time.
 */
export interface PrivateServer extends AsyncDisposable {
  /** What it is, for people: `"redis"`. */
  readonly name: string;

  /** Always `127.0.0.1`. */
  readonly host: string;

  readonly port: number;

  /** Where clients connect to, with the password if there is one. Not for logs. */
  readonly url: string;

  /** Holds its configuration and data. Removed at the end. */
  readonly directory: string;

  /** The process id while it runs, `undefined` while it does not. Another one after each start. */
  readonly pid: number | undefined;

  /**
   * Starts it again after `kill()` or `stop()`, with the same port and files.
   *
   * @throws `SERVER_RUNNING`, `SERVER_PORT_TAKEN`, or `SERVER_NOT_READY` with the last of its output.
   */
  start(): Promise<void>;

  /** `stop()`, then `start()`. */
  restart(): Promise<void>;

  /** Ends it by SIGKILL, as a crash or a loss of power to the process would. Nothing happens when it does not run. */
  kill(): Promise<void>;

  /**
   * Asks it by SIGTERM to stop in good order, a paused one too. Nothing happens when it does not run.
   *
   * @throws `PROCESS_NOT_STOPPED` when it has not stopped within 30 seconds. It is killed then.
   */
  stop(): Promise<void>;

  /**
   * Stops its clock by SIGSTOP: connections stay open, new ones are taken by the system, nothing is answered.
   *
   * @throws `SERVER_NOT_RUNNING`
   */
  pause(): Promise<void>;

  /** Lets it go on after `pause()`, by SIGCONT. */
  resume(): void;

  /** What it wrote, over all its starts: the last 256 Ki characters. Still there after the end. */
  logs(): string;

  /** Kills it and removes the directory. Twice is once. */
  [Symbol.asyncDispose](): Promise<void>;
}
