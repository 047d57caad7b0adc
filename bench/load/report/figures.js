// Which charts there are, and what each says in words.

const dashes = [undefined, [8, 4], [2, 3], [8, 3, 2, 3]]; // by report
const lineOf = (column) => ({
  name: column.label,
  tag: column.report ? null : column.short,
  colour: `line-${column.colour % 8}`,
  dash: dashes[column.report % 4],
});
const latencyAxis = (title, range) => ({
  title,
  log: true,
  range,
  tick: (us) => format.time(us),
  show: (us) => format.time(us),
});
const countAxis = (title, max) => ({
  title,
  range: max ? [0, max] : undefined,
  tick: (value) => (Number.isInteger(value) ? format.count(value) : ""),
  show: (value) => format.count(value),
});
const each = (columns, tell) => columns.map(tell).filter(Boolean).join("; ") + ".";
const highestOf = (series, which = "max") =>
  Math.max(0, ...series.flatMap((one) => one.points.map((point) => point[which] ?? point.median ?? 0)));

function timeAxis(runs) {
  const ends = runs.map((run) => run.seconds.at(-1)?.at_s ?? 0);
  return {
    title: "seconds since the run began",
    range: [0, Math.max(1, Math.round(4 * Math.max(...ends)) / 4)],
    tick: (x) => format.number(x),
    show: (x) => `${x}${thin}s`,
  };
}

function warmupOf(runs) {
  const until = Math.max(
    0,
    ...runs.flatMap((run) =>
      run.seconds.filter((second) => second.warmup).map((second) => Math.round(4 * second.at_s) / 4),
    ),
  );
  return until ? {until} : null;
}

function timeline(columns, runsOf, pick) {
  return columns.map((column) => ({
    ...lineOf(column),
    points: overTime(runsOf(column), pick),
    band: runsOf(column).length > 1,
  }));
}

const known = (series) => series.filter((one) => one.points.some((point) => point.median != null));

// A log axis that holds all of these.
function sharedRange(groups) {
  const values = groups
    .flat()
    .flatMap((one) => one.points.flatMap((point) => [point.min, point.median, point.max]))
    .filter((value) => value > 0);
  return values.length ? [Math.min(...values) / 1.2, Math.max(...values) * 1.3] : undefined;
}

function quantileFigure(columns) {
  const series = columns
    .flatMap((column) => {
      const request = {
        ...lineOf(column),
        points: overQuantiles(column, "request"),
        band: column.runs.length > 1,
      };
      const naive = {
        ...lineOf(column),
        name: `${column.label}, naive`,
        tag: null,
        dash: [2, 3],
        width: 1.3,
        points: overQuantiles(column, "naive"),
      };
      const differs = naive.points.some((point) => {
        const beside = request.points.find((other) => Math.abs(other.x - point.x) < 1e-3);
        return beside && point.x >= 0.3 && beside.median > 1.1 * point.median;
      });
      const several = columns.some((column) => column.report); // then there are lines enough
      return differs && !several ? [request, naive] : [request];
    })
    .filter((one) => one.points.length);
  if (!series.length) return null;
  const nines = Math.max(2, ...series.flatMap((one) => one.points.map((point) => point.x)));
  const places = [
    [0, ""],
    [0.30103, "p50"],
    [1, "p90"],
    [2, "p99"],
    [3, "p99.9"],
    [4, "p99.99"],
    [5, "p99.999"],
    [6, "p99.9999"],
  ];
  return {
    title: "Latency by percentile",
    height: 340,
    series,
    says:
      "From the moment a request was due to the last byte of its answer" +
      (series.some((one) => one.name.endsWith(", naive"))
        ? "; dotted, from the moment it was sent, which is what a tool that waits for answers would say"
        : "") +
      ". " +
      each(columns, (column) => {
        const p99 = spread(column.runs.map((run) => percentile(run.latencies.request, 0.99)));
        return p99 && `${column.label}: p99 ${format.time(p99.median)}`;
      }),
    x: {
      title: "percentile, each nine as wide as the one before",
      range: [0, nines * 1.01],
      splits: () => places.map(([x]) => x).filter((x) => x <= nines * 1.01),
      space: 30,
      tick: (x) => places.find(([at]) => Math.abs(at - x) < 1e-6)?.[1] ?? "",
      show: (x) => `p${format.number(100 * (1 - 10 ** -x), 6)}`,
    },
    y: latencyAxis("latency"),
  };
}

function latencyFigures(columns, runsOf) {
  const groups = ["p50_us", "p99_us"].map((key) =>
    timeline(columns, runsOf, (second) => second[key] || null),
  );
  const range = sharedRange(groups);
  return groups.map((series, index) => ({
    title: index ? "p99 over time" : "p50 over time",
    half: true,
    height: 250,
    sync: "time",
    series,
    says:
      `Of the requests answered in each second. ` +
      each(
        series.filter((one) => one.points.length),
        (one) => `${one.name}: highest ${format.time(highestOf([one]))}`,
      ),
    x: timeAxis(columns.flatMap(runsOf)),
    y: latencyAxis("latency", range),
    shade: warmupOf(columns.flatMap(runsOf)),
  }));
}

function throughputFigure(columns, runsOf) {
  const rateOf = (key) => (second, lasted) => (lasted > 0 ? second[key] / lasted : null);
  const answered = timeline(columns, runsOf, rateOf("answered"));
  const offered = [
    ...new Map(
      columns.map((column) => [spread(column.runs.map((run) => run.plan.rate))?.median, column]),
    ).entries(),
  ]
    .filter(([rate, column]) => rate != null && column.runs.every((run) => run.plan.arrival !== "closed"))
    .map(([rate]) => ({at: rate, label: `offered: ${format.count(rate)}/s`}));
  return {
    title: "Throughput against what was offered",
    height: 260,
    sync: "time",
    series: answered,
    limits: offered,
    says:
      "Answered requests a second. " +
      each(columns, (column) => {
        const rate = spread(column.runs.map((run) => run.answered / run.measured_s));
        const due = spread(column.runs.map((run) => run.due / run.measured_s));
        return (
          rate && `${column.label}: ${format.count(rate.median)} of ${format.count(due.median)} a second`
        );
      }),
    x: timeAxis(columns.flatMap(runsOf)),
    shade: warmupOf(columns.flatMap(runsOf)),
    y: countAxis("requests a second", 1.2 * Math.max(highestOf(answered), ...offered.map((one) => one.at))),
  };
}

function cpuFigures(columns, runsOf) {
  const sides = ["client", "server"]
    .map((side) => ({
      side,
      series: known(
        timeline(columns, runsOf, (second, lasted) => {
          const cpu = second[side]?.cpu;
          return cpu && lasted > 0 ? (cpu.user_us + cpu.system_us) / lasted / 1e6 : null;
        }),
      ),
    }))
    .filter(({series}) => series.length);
  const highest = Math.max(...sides.map(({series}) => highestOf(series)));
  return sides.map(({side, series}) => ({
    title: `CPU time, ${side}`,
    half: true,
    side,
    height: 230,
    sync: "time",
    series,
    says:
      "User and system time of its process; 1 is one processor all the time. " +
      each(series, (one) => `${one.name}: highest ${format.number(highestOf([one]), 2)}`),
    x: timeAxis(columns.flatMap(runsOf)),
    shade: warmupOf(columns.flatMap(runsOf)),
    y: {
      title: "processors busy",
      range: [0, 1.12 * highest],
      tick: (value) => format.number(value, 2),
      show: (value) => format.number(value, 2),
    },
  }));
}

function searchFigures(columns) {
  const searched = columns.filter((column) => column.search.length > 1);
  if (!searched.length) return [];
  const pointsOf = (column, pick) =>
    column.search
      .map((run) => ({x: run.plan.rate, median: pick(run)}))
      .filter((point) => point.median != null);
  const marks = searched
    .filter((column) => column.highest != null)
    .map((column) => ({
      at: column.highest,
      colour: lineOf(column).colour,
      label: `${searched.some((other) => other.report) ? column.label : column.short}: ${format.count(column.highest)}/s`,
    }));
  const rates = searched.flatMap((column) => column.search.map((run) => run.plan.rate));
  const x = {
    title: "requests a second, offered",
    log: true,
    range: [Math.min(...rates) / 1.1, Math.max(...rates) * 1.15],
    tick: (rate) => format.count(rate),
    show: (rate) => `${format.count(rate)}/s offered`,
  };
  const lines = (pick) =>
    searched.map((column) => ({...lineOf(column), dots: true, points: pointsOf(column, pick)}));
  const answers = {
    title: "answered a second",
    log: true,
    tick: (value) => format.count(value),
    show: (value) => format.count(value),
  };
  const sustained = each(searched, (column) =>
    column.highest == null
      ? `${column.label}: no rate tried was sustained`
      : `${column.label}: sustained up to ${format.count(column.highest)} a second`,
  );
  const achieved = lines((run) => run.answered / run.measured_s);
  return [
    {
      title: "p99 against rate",
      half: true,
      height: 280,
      series: lines((run) => percentile(run.latencies.request, 0.99)).map((one) => ({...one, tag: null})),
      marks,
      says: `The knee, dotted, is the highest rate sustained. ${sustained}`,
      x,
      y: latencyAxis("p99 latency"),
    },
    {
      title: "Achieved against offered",
      half: true,
      height: 280,
      series: [
        {
          name: "all that was offered",
          colour: "limit",
          dash: [7, 4],
          width: 1.3,
          points: [...new Set(rates)].sort((a, b) => a - b).map((rate) => ({x: rate, median: rate})),
        },
        ...achieved,
      ],
      says: "Where a line leaves the dashed one, requests went unanswered.",
      x,
      y: answers,
    },
  ];
}
