import type { QueueScript } from "./compose-script.ts";

/**
 * Where the messages of a queue lie: in lists, or in streams. All else of a queue, who holds what and until when, delays,
 * tombstones and dead letters, is the same for both and kept by the scripts of this folder.
 *
 * A message is known by its key: its dedupe id, `id:run:hop`, or, for what another program put in, whatever the storage
 * can find it by. `lua` defines these functions, in which `keys` is a list and `value` a band, 0 to 2. They may use the
 * names of `queueKeys`, `now`, and `taker`, the consumer for whom `pop` works.
 *
 * - `held(keys)`: something or false for each: whether it is in the queue, delayed and running included.
 * - `total()`: how many are in the queue.
 * - `enter(value, items)`: puts messages at the back of a band; items are keys and bytes in turn.
 * - `enter_later(key, value, bytes)`: keeps a message that is delayed.
 * - `ripen(keys)`: puts delayed messages at the back of their bands.
 * - `hand_back(key)`: puts a message that nobody holds any more at the front of its band.
 * - `waits(value)`: whether a message waits in the band; `waits_beside()`: in another than the middle one; `waits_at_all()`: in any.
 * - `pop(value, number, keys)`: takes so many messages at most from the front of the band, and appends their keys.
 * - `waiting()`: how many wait in all bands.
 * - `frames(keys)`: the bytes of each, or false.
 * - `own(keys, token)`: writes down who holds what was popped; `disown(keys)`: that nobody does; `owners_of(keys)`: the token of
 *   each, or false.
 * - `drop(keys)`: forgets messages that wait in no band any more, and who held them.
 * - `detach(key)`: takes a message that waits out of its band; false when it does not wait.
 * - `detach_some()`: takes some messages that wait out of their bands, and answers their keys; none when none is left.
 * - `page_of_ready(limit, value, position, key)`: keys of what waits, and their places as `value position`; those that
 *   follow what the last page ended with, where that is given.
 */
export interface QueueStorage {
  /** The name of the broker. */
  readonly name: string;
  /** In front of each key's own name, and of the set of queues: keeps storages apart in one namespace. */
  readonly prefix: string;
  /** Keys of its own, by their names in `lua`. */
  readonly names: Readonly<Record<string, string>>;
  readonly lua: string;
  /** What a position of `page_of_ready` looks like. */
  readonly position: RegExp;
  /** Run when a consumer begins. ARGV: its name, and milliseconds after which another that holds nothing may be forgotten. */
  readonly enrol?: QueueScript;
  /** Run when a consumer has ended. ARGV: its name. */
  readonly leave?: QueueScript;
  /** A name for a consumer that was never used before; without spaces. */
  readonly nameConsumer: () => string;
}
