import { OptionError } from "../errors.ts";
import { decodeReference, type GroupReader, GroupResults, groupContentType } from "../group-results.ts";
import type { SerializerSet } from "../serializer-set.ts";

/** A serialized value. */
export interface RawValue {
  readonly contentType: string;
  readonly body: Uint8Array;
}

export type PlanItems = (value: RawValue) => Promise<readonly RawValue[]>;

const nothing: RawValue = { contentType: "application/json", body: new Uint8Array() };

/** A task that failed gives nothing to the next. */
export function toRaw(value: RawValue | undefined): RawValue {
  return value ?? nothing;
}

/** @throws OptionError `OPTION_INVALID` for a value that is no list. */
export function createPlanItems(reader: GroupReader, serializers: SerializerSet): PlanItems {
  return async (value) => {
    const read = await readList(value, reader);
    if (!Array.isArray(read))
      throw new OptionError("OPTION_INVALID", `map: expected a list, got ${read === null ? "null" : typeof read}.`);
    const { contentType } = serializers;
    return read.map((item: unknown) => ({ contentType, body: serializers.serialize(item) }));
  };
}

function readList(value: RawValue, reader: GroupReader): unknown {
  if (value.contentType !== groupContentType) return reader.read(value);
  return new GroupResults(decodeReference(value.body), reader).all();
}
