import { redactUrl } from "@taskferry/core";

// Everything between the scheme and the last "@" before a space or a quote: passwords are often not escaped.
const credentials = /([a-z][a-z0-9+.-]*:\/\/)[^\s"'`<>]*@/gi;

/** Takes passwords out of a text. */
export type Redact = (text: string) => string;

/**
 * @param urls - those that the configuration names: they and their passwords are recognised wherever they stand.
 */
export function createRedact(urls: readonly string[]): Redact {
  const secrets = urls.flatMap(findSecrets).sort((one, other) => other.length - one.length);
  return (text) => {
    let clean = text;
    for (const url of urls) clean = clean.replaceAll(url, redactUrl(url));
    clean = clean.replace(credentials, "$1***@");
    for (const secret of secrets) clean = clean.replaceAll(secret, "***");
    return clean;
  };
}

/** The password of a URL, as it stands there and as a server gets it, and those in its query. */
function findSecrets(url: string): readonly string[] {
  if (!URL.canParse(url)) return [];
  const { password, searchParams } = new URL(url);
  const named = [...searchParams].filter(([name]) => /pass|secret|token|key/i.test(name)).map(([, value]) => value);
  // A shorter one would be found inside words.
  return [password, decode(password), ...named].filter((secret) => secret.length >= 4);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray "%" is a part of the password itself.
    return text;
  }
}
