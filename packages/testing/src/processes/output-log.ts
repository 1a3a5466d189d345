const keptCharacters = 256 * 1024;

/** The last 256 Ki characters of what a process wrote to its standard output and error. */
export class OutputLog {
  #text = "";
  #forgotten = 0;

  /** How much was written so far, forgotten text included. */
  get length(): number {
    return this.#forgotten + this.#text.length;
  }

  append(text: string): void {
    this.#text += text;
    if (this.#text.length <= 2 * keptCharacters) return;
    this.#forgotten += this.#text.length - keptCharacters;
    this.#text = this.#text.slice(-keptCharacters);
  }

  text(): string {
    return this.#text.slice(-keptCharacters);
  }

  /** What is kept of the text written after `length` was that. */
  since(length: number): string {
    return this.#text.slice(Math.max(0, length - this.#forgotten)).slice(-keptCharacters);
  }
}
