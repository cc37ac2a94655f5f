import type { ComponentChildren } from 'preact';

export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Figures stand at the right. */
  readonly figure?: boolean;
}

/**
 * A table on wide screens, and on narrow ones a list of rows with the heads as labels (CSS reads `data-head`).
 * `select` makes it one of which rows can be ticked.
 */
export function Table<Row>(props: {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  id: (row: Row) => string;
  marked?: (row: Row) => boolean;
  select?: { readonly ids: ReadonlySet<string>; change(ids: ReadonlySet<string>): void };
}) {
  const { columns, rows, id, select, marked } = props;
  const all = select !== undefined && rows.length > 0 && rows.every((row) => select.ids.has(id(row)));
  const toggle = (name: string): void => {
    const next = new Set(select?.ids);
    if (!next.delete(name)) next.add(name);
    select?.change(next);
  };
  return (
    <div class="table-frame">
      <table>
        <caption class="unseen">{props.caption}</caption>
        <thead>
          <tr>
            {select === undefined ? null : (
              <th class="tick">
                <input
                  type="checkbox"
                  aria-label="Select all shown"
                  checked={all}
                  onChange={() => select.change(new Set(all ? [] : rows.map(id)))}
                />
              </th>
            )}
            {columns.map((column) => (
              <th key={column.head} scope="col" class={column.figure === true ? 'figure' : undefined}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={id(row)} class={marked?.(row) === true ? 'marked' : undefined}>
              {select === undefined ? null : (
                <td class="tick">
                  <input
                    type="checkbox"
                    aria-label={`Select ${id(row)}`}
                    checked={select.ids.has(id(row))}
                    onChange={() => toggle(id(row))}
                  />
                </td>
              )}
              {columns.map((column) => (
                <td
                  key={column.head}
                  data-head={column.head}
                  class={column.figure === true ? 'figure' : undefined}
                >
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
