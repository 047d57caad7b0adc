// The columns side by side: one row per figure, its median over the repeats, the range, what is doubtful about it.

// Which flag doubts which row; one that doubts none stands at the top of its column.
const doubts = [
  [/\bclient was [\d.]+ % busy/, () => "busy"],
  [/\bsent over 1 ms late\b/, () => "late"],
  [/\brequests failed\b/, () => "errors"],
  [/\bports (ran out|last)\b|\blocal ports\b/, () => "ports"],
  [/\brate was not reached\b/, () => "achieved"],
  [/\bfor a p99\.9\b/, () => "p99.9"],
  [/\bfor a p99\b/, () => "p99"],
  [/\bTIME_WAIT lasts\b/, (column) => `time_wait_${column.lasting[0].plan.ending.startsWith("client") ? "client" : "server"}`],
];
const doubted = (flag, column) => doubts.find(([pattern]) => pattern.test(flag.text))?.[1](column) ?? "doubts";

// A row: its name, what a run says, how to show that, whether it is compared with the first column.
function rowsOf(columns) {
  const latency = (which, quantile) => (run) => percentile(run.latencies[which], quantile);
  const request = (name, quantile) => ({
    key: name, name: `request ${name}`, of: latency("request", quantile), time: true, compared: true,
    note: (column) => {
      const all = spread(column.runs.map(latency("request", quantile)));
      const naive = spread(column.runs.map(latency("naive", quantile)));
      return all && naive && all.median > 1.1 * naive.median ? `naive ${format.time(naive.median)}` : null;
    },
  });
  const cpu = (side) => ({
    key: `cpu_${side}`, name: `CPU per request, ${side}`, of: (run) => cpuOf(run, side)?.total, time: true, compared: true,
    note: (column) => {
      const parts = ["user", "system", "softirq"].map((part) => [part, spread(column.runs.map((run) => cpuOf(run, side)?.[part]))]);
      const known = parts.filter(([, value]) => value);
      return known.length ? known.map(([part, value]) => `${part} ${format.number(value.median, 2)}`).join(" · ") + `${thin}µs` : null;
    },
  });
  const peak = (side) => ({
    key: `time_wait_${side}`, name: `most in TIME_WAIT, ${side}`, lasting: true, of: (run) => peakOf(run, side, "TIME-WAIT"), show: format.count,
  });
  const network = (name, unit, show, suffix) => ({
    key: unit, name, show, unit: suffix, of: (run) => overSeconds(run, (second) => (second[`${unit}_sent`] == null ? null : second[`${unit}_sent`] + second[`${unit}_received`])),
    note: (column) => {
      const [sent, received] = ["sent", "received"].map((way) => spread(column.runs.map((run) => overSeconds(run, (second) => second[`${unit}_${way}`]))));
      return sent && received ? `${show(sent.median)} sent · ${show(received.median)} received` : null;
    },
  });
  const classes = [...new Set(columns.flatMap((column) => column.runs.flatMap((run) => Object.keys(run.errors))))].sort();
  return [
    {heading: "Load"},
    {key: "offered", name: "offered, a second", of: (run) => run.due / run.measured_s, show: format.count},
    {key: "achieved", name: "achieved, a second", of: (run) => run.answered / run.measured_s, show: format.count, note: shortfall},
    {key: "late", name: "sent over 1 ms late", of: (run) => (run.sent ? 100 * run.late / run.sent : null), show: (value) => format.number(value, 2), unit: "%"},
    {key: "busy", name: "client’s busiest thread", of: (run) => 100 * run.client_busy, show: (value) => format.number(value, 2), unit: "%"},
    ...(columns.some((column) => column.search.length) ? [{key: "highest", name: "highest rate sustained", whole: (column) => (
      column.highest == null ? (column.search.length ? "none" : none) : format.count(column.highest))}] : []),
    {heading: "Errors, all repeats"},
    ...(classes.length ? [] : [{key: "errors", name: "errors", whole: (column) => (column.runs.length ? "none" : none)}]),
    ...classes.map((name, index) => ({key: index ? name : "errors", name, whole: (column) => {
      const total = sum(column.runs.map((run) => run.errors[name]));
      return {text: format.count(total), bad: total > 0};
    }})),
    {heading: "Latency, from the moment each request was due"},
    {key: "connect_p50", name: "connect p50", of: latency("connect", 0.5), time: true},
    {key: "connect_p99", name: "connect p99", of: latency("connect", 0.99), time: true},
    request("p50", 0.5), request("p99", 0.99), request("p99.9", 0.999),
    {heading: "Cost"},
    {key: "cpu", name: "CPU per request, both ends", of: bothCpu, time: true, compared: true},
    cpu("client"), cpu("server"),
    network("bytes per request", "bytes", (value) => format.number(value), "B"),
    network("packets per request", "packets", (value) => format.number(value)),
    {heading: "Sockets"},
    {key: "connections", name: "most connections open", of: (run) => Math.max(0, ...run.seconds.map((second) => second.connections)), show: format.count},
    {key: "opened", name: "connections opened", of: (run) => sum(measured(run).map((second) => second.connected)), show: format.count},
    peak("client"), peak("server"),
    {key: "ports", name: "most ports used", lasting: true, of: (run) => run.ports.peak, show: format.count, note: portNote},
  ].filter((row) => row.heading || row.whole || columns.some((column) => spread((row.lasting ? column.lasting : column.runs).map(row.of))));
}

function bothCpu(run) {
  const [client, server] = ["client", "server"].map((side) => cpuOf(run, side)?.total);
  return client != null && server != null ? client + server : null;
}

function shortfall(column) {
  const share = spread(column.runs.map((run) => (run.due ? run.answered / run.due : null)));
  const unsent = sum(column.runs.map((run) => run.unsent));
  const notes = [];
  if (share && share.median < 0.99) notes.push({text: `${format.share(share.median)} of what was due`, bad: true});
  if (unsent) notes.push({text: `${format.count(unsent)} never sent`, bad: true});
  return notes;
}

function portNote(column) {
  const notes = [];
  const runs = column.lasting;
  const available = spread(runs.map((run) => run.ports.available || null));
  const used = spread(runs.map((run) => run.ports.peak));
  if (available && used) notes.push(`of ${format.count(available.median)}, ${format.share(used.max / available.median)}`);
  const out = spread(runs.map((run) => run.ports.exhausted_at_s));
  const predicted = spread(runs.map((run) => run.ports.predicted_exhaustion_s));
  if (out) notes.push({text: `ran out after ${format.seconds(out.median)}`, bad: true});
  if (predicted) notes.push(`${out ? "predicted:" : "would run out"} after ${format.seconds(predicted.median)}`);
  return notes;
}

function notesOf(note) { return (Array.isArray(note) ? note : [note]).filter(Boolean).map((one) => (one.text ? one : {text: one})); }

function cell(row, column, columns, flags) {
  const parts = [];
  if (row.whole) {
    const [whole] = notesOf(row.whole(column));
    parts.push(element("span", {class: whole.bad ? "value bad" : "value"}, whole.text));
  } else if (row.of) {
    const value = spread((row.lasting ? column.lasting : column.runs).map(row.of));
    const time = row.time && value ? timeUnit(value.median) : null;
    const unit = time?.name ?? row.unit;
    const show = (amount) => (row.time ? format.number(amount / time.us) : row.show(amount));
    parts.push(element("span", {class: "value"}, value ? show(value.median) + (unit ? thin + unit : "") : none));
    if (value && value.of > 1 && show(value.min) !== show(value.max)) {
      parts.push(element("span", {class: "range"}, `${show(value.min)}${dash}${show(value.max)}`));
    }
    const first = columns.find((other) => other.report === column.report);
    const ratio = row.compared && first !== column ? ratioOf(column.runs, first.runs, row.of) : null;
    if (ratio != null) parts.push(element("span", {class: "ratio"}, `${format.times(ratio)} ${first.name}`));
  }
  if (row.lasting && column.isLasting) parts.push(element("span", {class: "note"}, `in a run of ${format.seconds(column.lasting[0].seconds.at(-1)?.at_s ?? 0)}`));
  if (row.note) {
    for (const note of notesOf(row.note(column))) parts.push(element("span", {class: note.bad ? "note bad" : "note"}, note.text));
  }
  for (const flag of flags) parts.push(element("span", {class: flag.which === "flags" ? "flag" : "note"}, flagText(flag)));
  return element("td", {role: "cell"}, parts);
}

function headOf(reports, columns) {
  const rows = [];
  if (reports.length > 1) {
    rows.push(element("tr", {role: "row", class: "files"}, element("td", {role: "cell"}), reports.map((report) =>
      element("th", {scope: "colgroup", role: "columnheader", colspan: report.columns.length}, report.name))));
  }
  rows.push(element("tr", {role: "row"}, element("td", {role: "cell"}), columns.map((column) =>
    element("th", {scope: "col", role: "columnheader"},
      element("i", {class: "line", style: `--key: var(--line-${column.colour % 8})`}), column.name,
      element("small", {}, `${column.runs.length} ${column.runs.length === 1 ? "run" : "runs"}`),
      column.partial ? element("span", {class: "flag"}, "partial") : null))));
  return element("thead", {role: "rowgroup"}, rows);
}

function columnsTable(reports, columns) {
  const rows = rowsOf(columns);
  const keys = new Set(rows.map((row) => row.key));
  const flags = columns.map((column) => ["flags", "notes"].flatMap((which) => {
    const lasting = column.isLasting ? flagsOf(column.lasting, which).map((flag) => ({...flag, text: `in the long run: ${flag.text}`})) : [];
    return [...flagsOf(column.runs, which), ...lasting].map((flag) => {
      const key = doubted(flag, column);
      return {...flag, which, key: keys.has(key) ? key : "doubts"};
    });
  }));
  if (flags.flat().some((flag) => flag.key === "doubts")) rows.unshift({key: "doubts", name: "to bear in mind"});
  const body = rows.map((row) => (row.heading
    ? element("tr", {role: "row", class: "heading"}, element("th", {role: "rowheader", scope: "rowgroup", colspan: columns.length + 1}, row.heading))
    : element("tr", {role: "row"}, element("th", {role: "rowheader", scope: "row"}, row.name),
        columns.map((column, index) => cell(row, column, columns, flags[index].filter((flag) => flag.key === row.key))))));
  return element("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": "The columns"},
    element("table", {role: "table", class: "columns", style: `--columns: ${columns.length}`},
      element("caption", {}, "Each figure is the median over the repeats; beside it, small, their range and its ratio to the first column."),
      headOf(reports, columns), element("tbody", {role: "rowgroup"}, body)));
}

// Every run on its own, as the medians were made from them.
function runsTable(columns) {
  const heads = ["run", "offered/s", "achieved/s", "errors", "p50", "p99", "p99.9", "naive p99.9", "client busy", "to bear in mind"];
  const row = (column, run, name) => element("tr", {},
    element("th", {scope: "row"}, `${column.label}, ${name}`),
    [format.count(run.due / run.measured_s), format.count(run.answered / run.measured_s), format.count(sum(Object.values(run.errors))),
     ...[0.5, 0.99, 0.999].map((quantile) => timeOrNone(percentile(run.latencies.request, quantile))),
     timeOrNone(percentile(run.latencies.naive, 0.999)), format.share(run.client_busy)].map((shown) => element("td", {}, shown)),
    element("td", {class: "words"}, run.flags.map((flag) => element("span", {class: "flag"}, flag)),
            (run.notes ?? []).map((note) => element("span", {class: "note"}, note))));
  return element("details", {}, element("summary", {}, "Every run"),
    element("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": "Every run"},
      element("table", {class: "numbers"},
        element("thead", {}, element("tr", {}, heads.map((head) => element("th", {scope: "col"}, head)))),
        element("tbody", {}, columns.flatMap((column) => [
          ...column.runs.map((run, index) => row(column, run, `repeat ${index + 1}`)),
          ...(column.isLasting ? [row(column, column.lasting[0], "over 60 s")] : []),
          ...column.search.map((run) => row(column, run, `search at ${format.count(run.plan.rate)}/s`)),
        ])))));
}

function timeOrNone(us) { return us == null ? none : format.time(us); }
