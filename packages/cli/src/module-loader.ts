import type { Jiti } from "jiti";

/** Loads a module by its `file:` URL and gives what it exports. */
export type LoadModule = (url: string) => Promise<Record<string, unknown>>;

/**
 * Loads JavaScript as Node does, and TypeScript without a build. Where the process reads TypeScript by itself (tsx, Bun,
 * Deno, a Node that strips types) it does so here; elsewhere, and for what such a Node refuses, jiti does.
 *
 * One loader serves the configuration and all handlers, so that a module which both import is evaluated once.
 */
export function createModuleLoader(): LoadModule {
  let jiti: Promise<Jiti> | undefined;
  const withJiti: LoadModule = async (url) => {
    // Not at the top of this file: whoever runs compiled files never needs it.
    jiti ??= import("jiti").then(({ createJiti }) => createJiti(import.meta.url, { interopDefault: false }));
    return (await jiti).import(url);
  };
  return async (url) => {
    if (!isTypeScript(url)) return await import(url);
    if (!readsTypeScript()) return await withJiti(url);
    try {
      return await import(url);
    } catch (error) {
      if (isRefusedByNode(error)) return await withJiti(url);
      throw error;
    }
  };
}

export function isTypeScript(path: string): boolean {
  return /\.[cm]?ts$/.test(path);
}

function readsTypeScript(): boolean {
  const { features, versions, execArgv, env } = process;
  const strips = Boolean((features as { readonly typescript?: unknown }).typescript);
  const isOtherRuntime = versions.bun !== undefined || versions.deno !== undefined;
  return strips || isOtherRuntime || [...execArgv, env.NODE_OPTIONS ?? ""].some((option) => /\btsx\b/.test(option));
}

/**
 * Node that strips types takes neither enums and parameter properties nor imports without the file's real extension, and
 * does not say where a fault of syntax is. It refuses before it runs anything of the module.
 */
function isRefusedByNode(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return (
    code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX" ||
    code === "ERR_INVALID_TYPESCRIPT_SYNTAX" ||
    code === "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING" ||
    code === "ERR_MODULE_NOT_FOUND"
  );
}
