// The rows of the columns table: what each figure is, and which flag doubts it.

// Which flag doubts which row; one that doubts none stands at the top of its column.
const doubts = [
  [/\bclient was [\d.]+ % busy/, () => "busy"],
  [/\bsent over 1 ms late\b/, () => "late"],
  [/\brequests failed\b/, () => "errors"],
  [/\bports (ran out|last)\b|\blocal ports\b/, () => "ports"],
  [/\brate was not reached\b/, () => "achieved"],
  [/\bfor a p99\.9\b/, () => "p99.9"],
  [/\bfor a p99\b/, () => "p99"],
  [
    /\bTIME_WAIT lasts\b/,
    (column) => `time_wait_${column.lasting[0].plan.ending.startsWith("client") ? "client" : "server"}`,
  ],
];
const doubted = (flag, column) =>
  doubts.find(([pattern]) => pattern.test(flag.text))?.[1](column) ?? "doubts";

// A row is {key, name, of, show, unit, time, compared, lasting, whole, note}: `of` is its figure of one run, which `show`
// shows, or which is a `time` in µs; `compared` with the first column; `lasting`: from the run of over 60 s, if there is
// one. Or `whole` is its text for the whole column. `note` is what else is to be said.
function rowsOf(columns) {
  const known = (row) => row.whole || columns.some((column) => spread(runsOfRow(row, column).map(row.of)));
  const sections = {
    Load: loadRows(columns),
    "Errors, all repeats": errorRows(columns),
    "Latency, from the moment each request was due": latencyRows(),
    Cost: costRows(),
    Sockets: socketRows(),
  };
  return Object.entries(sections).flatMap(([heading, rows]) => [{heading}, ...rows.filter(known)]);
}

const runsOfRow = (row, column) => (row.lasting ? column.lasting : column.runs);

function loadRows(columns) {
  const perSecond = (count) => (run) => run[count] / run.measured_s;
  const share = {show: (value) => format.number(value, 2), unit: "%"};
  const highest = ({highest, search}) => (highest == null && search.length ? "none" : format.count(highest));
  const rows = [
    {key: "offered", name: "offered, a second", of: perSecond("due"), show: format.count},
    {
      key: "achieved",
      name: "achieved, a second",
      of: perSecond("answered"),
      show: format.count,
      note: shortfall,
    },
    {
      key: "late",
      name: "sent over 1 ms late",
      of: (run) => (run.sent ? (100 * run.late) / run.sent : null),
      ...share,
    },
    {key: "busy", name: "client’s busiest thread", of: (run) => 100 * run.client_busy, ...share},
  ];
  if (columns.some((column) => column.search.length)) {
    rows.push({key: "highest", name: "highest rate sustained", whole: highest});
  }
  return rows;
}

function errorRows(columns) {
  const classes = new Set(columns.flatMap((column) => column.runs.flatMap((run) => Object.keys(run.errors))));
  if (!classes.size)
    return [{key: "errors", name: "errors", whole: (column) => (column.runs.length ? "none" : none)}];
  return [...classes].sort().map((name, index) => ({
    key: index ? name : "errors",
    name,
    whole: (column) => {
      const total = sum(column.runs.map((run) => run.errors[name]));
      return {text: format.count(total), bad: total > 0};
    },
  }));
}

function latencyRows() {
  const latency = (which, quantile) => (run) => percentile(run.latencies[which], quantile);
  const connect = (name, quantile) => ({
    key: `connect ${name}`,
    name: `connect ${name}`,
    of: latency("connect", quantile),
    time: true,
  });
  const request = (name, quantile) => ({
    key: name,
    name: `request ${name}`,
    of: latency("request", quantile),
    time: true,
    compared: true,
    note: (column) => {
      const all = spread(column.runs.map(latency("request", quantile)));
      const naive = spread(column.runs.map(latency("naive", quantile)));
      return all && naive && all.median > 1.1 * naive.median ? `naive ${format.time(naive.median)}` : null;
    },
  });
  return [
    connect("p50", 0.5),
    connect("p99", 0.99),
    request("p50", 0.5),
    request("p99", 0.99),
    request("p99.9", 0.999),
  ];
}

function bothCpu(run) {
  const [client, server] = ["client", "server"].map((side) => cpuOf(run, side)?.total);
  return client != null && server != null ? client + server : null;
}

function cpuParts(column, side) {
  const parts = ["user", "system", "softirq"].flatMap((part) => {
    const value = spread(column.runs.map((run) => cpuOf(run, side)?.[part]));
    return value ? [`${part} ${format.number(value.median, 2)}`] : [];
  });
  return parts.length ? `${parts.join(" · ")}${thin}µs` : null;
}

function costRows() {
  const cpu = (side) => ({
    key: `cpu ${side}`,
    name: `CPU per request, ${side}`,
    of: (run) => cpuOf(run, side)?.total,
    time: true,
    compared: true,
    note: (column) => cpuParts(column, side),
  });
  const network = (what, unit) => {
    const per = (way) => (run) => overSeconds(run, (second) => second[`${what}_${way}`]);
    const show = (value) => format.number(value) + (unit ? thin + unit : "");
    return {
      key: what,
      name: `${what} per request`,
      of: (run) => sumIfKnown([per("sent")(run), per("received")(run)]),
      show: format.number,
      unit,
      note: (column) => {
        const [sent, received] = ["sent", "received"].map((way) => spread(column.runs.map(per(way))));
        return sent && received ? `${show(sent.median)} sent · ${show(received.median)} received` : null;
      },
    };
  };
  return [
    {key: "cpu", name: "CPU per request, both ends", of: bothCpu, time: true, compared: true},
    cpu("client"),
    cpu("server"),
    network("bytes", "B"),
    network("packets"),
  ];
}

function socketRows() {
  const timeWait = (side) => ({
    key: `time_wait_${side}`,
    name: `most in TIME_WAIT, ${side}`,
    of: (run) => peakOf(run, side, "TIME-WAIT"),
    show: format.count,
    lasting: true,
  });
  const open = (run) => Math.max(0, ...run.seconds.map((second) => second.connections));
  const opened = (run) => sum(measured(run).map((second) => second.connected));
  const ports = (run) => run.ports.peak;
  return [
    {key: "open", name: "most connections open", of: open, show: format.count},
    {key: "opened", name: "connections opened", of: opened, show: format.count},
    timeWait("client"),
    timeWait("server"),
    {key: "ports", name: "most ports used", of: ports, show: format.count, note: portNote, lasting: true},
  ];
}

function shortfall(column) {
  const share = spread(column.runs.map((run) => (run.due ? run.answered / run.due : null)));
  const unsent = sum(column.runs.map((run) => run.unsent));
  const notes = [];
  if (share && share.median < 0.99)
    notes.push({text: `${format.share(share.median)} of what was due`, bad: true});
  if (unsent) notes.push({text: `${format.count(unsent)} never sent`, bad: true});
  return notes;
}

function portNote(column) {
  const notes = [];
  const runs = column.lasting;
  const available = spread(runs.map((run) => run.ports.available || null));
  const used = spread(runs.map((run) => run.ports.peak));
  if (available && used)
    notes.push(`of ${format.count(available.median)}, ${format.share(used.max / available.median)}`);
  const out = spread(runs.map((run) => run.ports.exhausted_at_s));
  const predicted = spread(runs.map((run) => run.ports.predicted_exhaustion_s));
  if (out) notes.push({text: `ran out after ${format.seconds(out.median)}`, bad: true});
  if (predicted)
    notes.push(`${out ? "predicted:" : "would run out"} after ${format.seconds(predicted.median)}`);
  return notes;
}

function notesOf(note) {
  return (Array.isArray(note) ? note : [note]).filter(Boolean).map((one) => (one.text ? one : {text: one}));
}
