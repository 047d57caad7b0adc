// The columns side by side: one row per figure, its median over the repeats, the range, what is doubtful about it.

function cell(row, column, columns, flags) {
  const parts = [];
  if (row.whole) {
    const [whole] = notesOf(row.whole(column));
    parts.push(element("span", {class: whole.bad ? "value bad" : "value"}, whole.text));
  } else if (row.of) {
    const value = spread(runsOfRow(row, column).map(row.of));
    const time = row.time && value ? timeUnit(value.median) : null;
    const unit = time?.name ?? row.unit;
    const show = (amount) => (row.time ? format.number(amount / time.us) : row.show(amount));
    parts.push(
      element("span", {class: "value"}, value ? show(value.median) + (unit ? thin + unit : "") : none),
    );
    if (value && value.of > 1 && show(value.min) !== show(value.max)) {
      parts.push(element("span", {class: "range"}, `${show(value.min)}${dash}${show(value.max)}`));
    }
    const first = columns.find((other) => other.report === column.report);
    const ratio = row.compared && first !== column ? ratioOf(column.runs, first.runs, row.of) : null;
    if (ratio != null) parts.push(element("span", {class: "ratio"}, `${format.times(ratio)} ${first.name}`));
  }
  if (row.lasting && column.isLasting)
    parts.push(
      element(
        "span",
        {class: "note"},
        `in a run of ${format.seconds(column.lasting[0].seconds.at(-1)?.at_s ?? 0)}`,
      ),
    );
  if (row.note) {
    for (const note of notesOf(row.note(column)))
      parts.push(element("span", {class: note.bad ? "note bad" : "note"}, note.text));
  }
  for (const flag of flags)
    parts.push(element("span", {class: flag.which === "flags" ? "flag" : "note"}, flagText(flag)));
  return element("td", {role: "cell"}, parts);
}

function headOf(reports, columns) {
  const rows = [];
  if (reports.length > 1) {
    rows.push(
      element(
        "tr",
        {role: "row", class: "files"},
        element("td", {role: "cell"}),
        reports.map((report) =>
          element(
            "th",
            {scope: "colgroup", role: "columnheader", colspan: report.columns.length},
            report.name,
          ),
        ),
      ),
    );
  }
  rows.push(
    element(
      "tr",
      {role: "row"},
      element("td", {role: "cell"}),
      columns.map((column) =>
        element(
          "th",
          {scope: "col", role: "columnheader"},
          element("i", {class: "line", style: `--key: var(--line-${column.colour % 8})`}),
          column.name,
          element("small", {}, `${column.runs.length} ${column.runs.length === 1 ? "run" : "runs"}`),
          column.partial ? element("span", {class: "flag"}, "partial") : null,
        ),
      ),
    ),
  );
  return element("thead", {role: "rowgroup"}, rows);
}

function columnsTable(reports, columns) {
  const rows = rowsOf(columns);
  const keys = new Set(rows.map((row) => row.key));
  const flags = columns.map((column) =>
    ["flags", "notes"].flatMap((which) => {
      const lasting = column.isLasting
        ? flagsOf(column.lasting, which).map((flag) => ({...flag, text: `in the long run: ${flag.text}`}))
        : [];
      // What a short run cannot say of TIME_WAIT, the long one does.
      const own = flagsOf(column.runs, which).filter(
        (flag) => !column.isLasting || !doubted(flag, column).startsWith("time_wait"),
      );
      return [...own, ...lasting].map((flag) => {
        const key = doubted(flag, column);
        return {...flag, which, key: keys.has(key) ? key : "doubts"};
      });
    }),
  );
  if (flags.flat().some((flag) => flag.key === "doubts"))
    rows.unshift({key: "doubts", name: "to bear in mind"});
  const body = rows.map((row) =>
    row.heading
      ? element(
          "tr",
          {role: "row", class: "heading"},
          element("th", {role: "rowheader", scope: "rowgroup", colspan: columns.length + 1}, row.heading),
        )
      : element(
          "tr",
          {role: "row"},
          element("th", {role: "rowheader", scope: "row"}, row.name),
          columns.map((column, index) =>
            cell(
              row,
              column,
              columns,
              flags[index].filter((flag) => flag.key === row.key),
            ),
          ),
        ),
  );
  return element(
    "div",
    {class: "scroll", tabindex: 0, role: "region", "aria-label": "The columns"},
    element(
      "table",
      {role: "table", class: "columns", style: `--columns: ${columns.length}`},
      element(
        "caption",
        {},
        "Each figure is the median over the repeats; beside it, small, their range and its ratio to the first column.",
      ),
      headOf(reports, columns),
      element("tbody", {role: "rowgroup"}, body),
    ),
  );
}

// Every run on its own, as the medians were made from them.
function runsTable(columns) {
  const heads = [
    "run",
    "offered/s",
    "achieved/s",
    "errors",
    "p50",
    "p99",
    "p99.9",
    "naive p99.9",
    "client busy",
    "to bear in mind",
  ];
  const row = (column, run, name) =>
    element(
      "tr",
      {},
      element("th", {scope: "row"}, `${column.label}, ${name}`),
      [
        format.count(run.due / run.measured_s),
        format.count(run.answered / run.measured_s),
        format.count(sum(Object.values(run.errors))),
        ...[0.5, 0.99, 0.999].map((quantile) => timeOrNone(percentile(run.latencies.request, quantile))),
        timeOrNone(percentile(run.latencies.naive, 0.999)),
        format.share(run.client_busy),
      ].map((shown) => element("td", {}, shown)),
      element(
        "td",
        {class: "words"},
        run.flags.map((flag) => element("span", {class: "flag"}, flag)),
        (run.notes ?? []).map((note) => element("span", {class: "note"}, note)),
      ),
    );
  return element(
    "details",
    {},
    element("summary", {}, "Every run"),
    element(
      "div",
      {class: "scroll", tabindex: 0, role: "region", "aria-label": "Every run"},
      element(
        "table",
        {class: "numbers"},
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            heads.map((head) => element("th", {scope: "col"}, head)),
          ),
        ),
        element(
          "tbody",
          {},
          columns.flatMap((column) => [
            ...column.runs.map((run, index) => row(column, run, `repeat ${index + 1}`)),
            ...(column.isLasting ? [row(column, column.lasting[0], "over 60 s")] : []),
            ...column.search.map((run) => row(column, run, `search at ${format.count(run.plan.rate)}/s`)),
          ]),
        ),
      ),
    ),
  );
}

function timeOrNone(us) {
  return us == null ? none : format.time(us);
}
