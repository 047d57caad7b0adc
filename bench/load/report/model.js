// What the reports say, gathered by column: medians and ranges over the repeats.

// Of numbers, those that are there: null if none is.
function spread(values) {
  const sorted = values.filter((value) => value != null && isFinite(value)).sort((a, b) => a - b);
  if (!sorted.length) return null;
  const half = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return {median, min: sorted[0], max: sorted[sorted.length - 1], of: sorted.length};
}

const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0);

// Null where one of them is not known.
function sumIfKnown(values) {
  return values.length && values.every((value) => value != null) ? sum(values) : null;
}

// The duration that a share `quantile` of the histogram's does not exceed, in µs.
function percentile(histogram, quantile) {
  if (!histogram?.count) return null;
  const wanted = Math.max(1, Math.ceil(quantile * histogram.count - 1e-6));
  let seen = 0;
  for (const [us, count] of histogram.buckets) {
    seen += count;
    if (seen >= wanted) return us;
  }
  return histogram.max_us;
}

function measured(run) {
  return run.seconds.filter((second) => !second.warmup);
}
function perRequest(run, amount) {
  return run.answered && amount != null ? amount / run.answered : null;
}
function overSeconds(run, pick) {
  return perRequest(run, sumIfKnown(measured(run).map(pick)));
}

function cpuOf(run, side) {
  const cpu = side === "client" ? run.client_cpu : run.server_cpu;
  if (!cpu) return null;
  return {
    user: perRequest(run, cpu.user_us),
    system: perRequest(run, cpu.system_us),
    total: perRequest(run, cpu.user_us + cpu.system_us),
    softirq: overSeconds(run, (second) => second[side]?.softirq_us),
  };
}

// How often the figure of `below` that of `above` is: median of the repeats, since those of one number ran next to each
// other, without the doubtful ones, as in the verdict; with them where there are no others.
function ratioOf(above, below, pick) {
  const pairs = above.slice(0, below.length).map((run, index) => [run, below[index]]);
  const ratios = (some) =>
    spread(
      some.map(([over, under]) => (pick(under) > 0 && pick(over) != null ? pick(over) / pick(under) : null)),
    )?.median;
  return ratios(pairs.filter((pair) => pair.every((run) => !run.flags.length))) ?? ratios(pairs);
}

function peakOf(run, side, state) {
  const samples = run.seconds.filter((second) => second[side]);
  return samples.length ? Math.max(...samples.map((second) => second[side].states[state] ?? 0)) : null;
}

// Flags, or notes, of all runs; those that differ in their figures only count as one.
function flagsOf(runs, which) {
  const found = new Map();
  for (const run of runs) {
    for (const text of new Set(run[which] ?? [])) {
      const kind = text.replace(/[\d.,]+/g, "#");
      const flag = found.get(kind) ?? {text, runs: 0};
      ++flag.runs;
      found.set(kind, flag);
    }
  }
  return [...found.values()].map((flag) => ({...flag, of: runs.length}));
}

// "in 2 of 5 repeats", where that is not all of them.
function flagText(flag) {
  return flag.runs === flag.of ? flag.text : `${flag.text} (in ${flag.runs} of ${flag.of} repeats)`;
}

// All columns, side by side. A name has one colour on the whole page; a report has one dash.
function columnsOf(reports) {
  const names = [...new Set(reports.flatMap((report) => report.columns.map((column) => column.name)))];
  return reports.flatMap((report, index) =>
    report.columns.map((column) => ({
      report: index,
      name: column.name,
      short: column.name.slice(column.name.lastIndexOf(", ") + 1).trim(),
      label: reports.length > 1 ? `${column.name} (${report.name})` : column.name,
      colour: names.indexOf(column.name),
      runs: column.at_rate,
      // What TIME_WAIT and ports are read from: the run of over 60 s, if there is one.
      lasting: column.time_wait ? [column.time_wait] : column.at_rate,
      isLasting: Boolean(column.time_wait),
      search: [...column.search].sort((a, b) => a.plan.rate - b.plan.rate),
      highest: column.highest_rate,
      partial: [...column.at_rate, ...column.search, ...(column.time_wait ? [column.time_wait] : [])].some(
        (run) => run.partial,
      ),
    })),
  );
}

// One figure of each second over several runs, [{x, median, min, max}].
function overTime(runs, pick) {
  const at = new Map();
  for (const run of runs) {
    let before = 0;
    for (const second of run.seconds) {
      const value = pick(second, second.at_s - before);
      before = second.at_s;
      const x = Math.round(4 * second.at_s) / 4; // samples come a little late
      if (!at.has(x)) at.set(x, []);
      at.get(x).push(value);
    }
  }
  return [...at].sort((a, b) => a[0] - b[0]).map(([x, values]) => ({x, ...spread(values)}));
}

// One percentile after the other over the repeats; x counts the nines: 1 is p90, 2 is p99.
function overQuantiles(column, which) {
  const histograms = column.runs.map((run) => run.latencies[which]).filter((histogram) => histogram.count);
  // Beyond the nines that so many requests can tell apart there is only the longest.
  const fewest = Math.min(...histograms.map((histogram) => histogram.count));
  const points = [];
  for (let step = 0; step <= 120 && fewest * 10 ** (-step / 20) >= 1 && histograms.length; ++step) {
    points.push({
      x: step / 20,
      ...spread(histograms.map((histogram) => percentile(histogram, 1 - 10 ** (-step / 20)))),
    });
  }
  return points;
}
