/** docs/relations.md. */
import type { Relation } from '../vocabulary.js';
import { generatedNotice } from './text.js';

const cell = (text: string): string => text.replaceAll('|', '\\|');

export function emitRelationsPage(relations: Relation[]): string {
  const lines = [
    '# Relations',
    '',
    `<!-- ${generatedNotice} -->`,
    '',
    'Foreign tables of one machine: `import foreign schema linux from server vm1 into vm1`, or schema `linux` for the current machine.',
    'Guest addresses are `int8` in two’s complement; `hex()` shows them. Every comparison, `in`, `is null` and prefix `like` is pushed down.',
    '',
  ];
  for (const relation of relations) {
    lines.push(`## ${relation.name}`, '', relation.doc, '');
    if (relation.keys.length > 0)
      lines.push(`Direct look-up by: ${relation.keys.map((key) => `(${key.join(', ')})`).join(', ')}.`, '');
    if (relation.orders.length > 0) {
      lines.push(
        `Delivered in order of: ${relation.orders.map((order) => `${order.column}${order.descending ? ' desc' : ''}`).join('; ')}.`,
        '',
      );
    }
    lines.push('| column | type | null | meaning |', '|---|---|---|---|');
    for (const column of relation.columns) {
      lines.push(
        `| ${column.name} | ${column.type} | ${column.nullable === true ? 'yes' : ''} | ${cell(column.doc)} |`,
      );
    }
    lines.push('', '```sql', `${relation.example};`, '```', '');
  }
  return lines.join('\n');
}
