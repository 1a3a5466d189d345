import { isTaskferryError, type Serializer } from "@taskferry/core";
import { expect } from "vitest";
import type { Topic } from "../rulebook.ts";

/** What a serializer may carry beyond plain JSON. */
export type RichKind =
  | "undefined"
  | "date"
  | "map"
  | "set"
  | "bigint"
  | "bytes"
  | "error"
  | "nonFinite"
  | "negativeZero";

export type SerializerTopic = Topic<SerializerScene, RichKind>;

/** A serializer and the kinds that it declares, with the steps that rules are made of. */
export class SerializerScene {
  readonly serializer: Serializer;
  readonly kinds: readonly RichKind[];

  constructor(serializer: Serializer, kinds: readonly RichKind[]) {
    this.serializer = serializer;
    this.kinds = kinds;
  }

  async close(): Promise<void> {
    return undefined;
  }

  /** There and back; answers the error instead where the value is refused. Any other error is thrown. */
  roundTrip(value: unknown): { readonly value: unknown } | { readonly refusal: unknown } {
    let bytes: Uint8Array;
    try {
      bytes = this.serializer.serialize(value);
    } catch (error) {
      if (isTaskferryError(error, "NOT_SERIALIZABLE")) return { refusal: error };
      throw error;
    }
    expect(bytes).toBeInstanceOf(Uint8Array);
    return { value: this.serializer.deserialize(bytes) };
  }

  /** Expects a value to arrive as what it was. */
  expectCarried(value: unknown): void {
    const trip = this.roundTrip(value);
    if ("refusal" in trip) throw trip.refusal;
    this.expectSame(trip.value, value);
  }

  expectSame(actual: unknown, expected: unknown): void {
    if (this.kinds.includes("undefined")) expect(actual).toStrictEqual(expected);
    else expect(actual).toEqual(expected);
  }

  /** Expects bytes to be read, or refused with `NOT_DESERIALIZABLE`. Anything else is a fault. */
  readOrRefuse(bytes: Uint8Array): { readonly value: unknown } | undefined {
    const before = Buffer.from(bytes);
    try {
      return { value: this.serializer.deserialize(bytes) };
    } catch (error) {
      if (!isTaskferryError(error, "NOT_DESERIALIZABLE")) throw error;
      return undefined;
    } finally {
      expect(Buffer.from(bytes).equals(before), "the bytes that were read are unchanged").toBe(true);
      expectPristine();
    }
  }
}

/** Expects that nothing was put on a prototype that all objects share. */
export function expectPristine(): void {
  const fresh: Record<string, unknown> = {};
  for (const name of ["polluted", "isAdmin"]) expect(fresh[name], `Object.prototype.${name}`).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
}
