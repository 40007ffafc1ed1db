/** Offsets of a Layout's fields by natural alignment; refuses a layout whose stated size is not the computed one. */
import type { Field, FieldType, Layout } from '../vocabulary.js';

export const fieldBytes: Record<FieldType, number> = { u8: 1, u16: 2, u32: 4, u64: 8 };

export interface PlacedField extends Field {
  offset: number;
  count: number;
}

export function placeFields(layout: Layout): PlacedField[] {
  let offset = 0;
  const placed: PlacedField[] = [];
  for (const field of layout.fields) {
    const align = fieldBytes[field.type];
    offset = Math.ceil(offset / align) * align;
    const count = field.count ?? 1;
    placed.push({ ...field, offset, count });
    offset += align * count;
  }
  const size = Math.ceil(offset / 8) * 8;
  if (size !== layout.size)
    throw new Error(`${layout.name}: fields take ${size} bytes, the layout states ${layout.size}`);
  return placed;
}
