/** Keeps the process alive while somebody waits, as a socket would. */
export interface KeepAlive {
  begin(): void;
  end(): void;
}

const longestInterval = 2 ** 31 - 1;

export function createKeepAlive(): KeepAlive {
  let waiting = 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    begin: () => {
      waiting += 1;
      timer ??= setInterval(() => undefined, longestInterval);
      timer.ref();
    },
    end: () => {
      waiting -= 1;
      if (waiting === 0) timer?.unref();
    },
  };
}
