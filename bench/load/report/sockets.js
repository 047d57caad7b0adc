// The charts of where TIME_WAIT goes, and of the sockets by state.

// The limit is drawn where it does not flatten the lines; else its name says how far away it is.
function timeWaitFigures(reports, columns) {
  const runsOf = (column) => column.lasting;
  const sides = ["client", "server"]
    .map((side) => ({
      side,
      series: known(
        timeline(columns, runsOf, (second) => second[side]?.states["TIME-WAIT"] ?? (second[side] ? 0 : null)),
      ),
    }))
    .filter(({series}) => series.length);
  const highest = Math.max(1, ...sides.map(({series}) => highestOf(series)));
  const limitsOf = (side) => {
    const limits = [];
    if (side === "client") {
      for (const ports of new Set(columns.flatMap(runsOf).map((run) => run.ports.available))) {
        if (ports) limits.push({at: ports, label: `ports: ${format.count(ports)}`});
      }
    }
    for (const buckets of new Set(reports.map((report) => report.environment[`${side}_time_wait_limit`]))) {
      if (buckets) limits.push({at: buckets, label: `tcp_max_tw_buckets: ${format.count(buckets)}`});
    }
    return limits.sort((a, b) => a.at - b.at);
  };
  const near = Math.max(
    highest,
    ...sides.flatMap(({side}) => limitsOf(side).map((limit) => limit.at)).filter((at) => at <= 6 * highest),
  );
  return sides.map(({side, series}) => ({
    title: `TIME_WAIT, ${side}`,
    half: true,
    side,
    height: 250,
    sync: "lasting",
    series,
    limits: limitsOf(side),
    says:
      each(series, (one) => `${one.name}: at most ${format.count(highestOf([one]))}`) +
      " " +
      each(limitsOf(side), (limit) => `Limit, ${limit.label}`),
    x: timeAxis(columns.flatMap(runsOf)),
    y: countAxis("sockets in TIME_WAIT", 1.12 * near),
    shade: warmupOf(columns.flatMap(runsOf)),
  }));
}

const stateNames = [
  "ESTAB",
  "SYN-SENT",
  "SYN-RECV",
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "CLOSING",
  "CLOSE-WAIT",
  "LAST-ACK",
  "TIME-WAIT",
];

// The states in which there were sockets, each with its count of each second: in the median, if there are several runs.
function statesOver(runs, side) {
  const seen = runs.flatMap((run) =>
    run.seconds.flatMap((second) => Object.keys(second[side]?.states ?? {})),
  );
  const names = new Set([...stateNames, ...seen]);
  return [...names].flatMap((state) => {
    const points = overTime(runs, (second) => (second[side] ? (second[side].states[state] ?? 0) : null));
    return points.some((point) => point.median > 0) ? [{state, points}] : [];
  });
}

function statesFigure(column, side) {
  const states = statesOver(column.lasting, side);
  if (!states.length) return null;
  const own = states.map(({points}) => points);
  const places = own[0].map((point) => point.x);
  const series = states.map(({state}, index) => {
    const stack = places.map((x, at) => ({
      x,
      median:
        own[0][at].median == null ? null : sum(own.slice(0, index + 1).map((points) => points[at].median)),
    }));
    const values = places.map((x, at) => own[index][at].median);
    return {
      name: state,
      tag: state,
      tagColour: "ink",
      colour: `state-${Math.max(0, stateNames.indexOf(state))}`,
      points: stack,
      middle: stack.map((point, at) => point.median - values[at] / 2),
      value: (at) => values[at],
      own: (x) => values[places.indexOf(x)],
      peak: Math.max(0, ...values.filter((value) => value != null)),
    };
  });
  const total = Math.max(1, highestOf(series));
  for (const one of series) if (one.peak < total / 25) one.tag = null;
  return {column, side, series, total};
}

function stateFigures(columns) {
  return columns.flatMap((column) => {
    const sides = ["client", "server"].map((side) => statesFigure(column, side)).filter(Boolean);
    return sides.map(({side, series, total}) => ({
      title: `${column.label}: sockets of the ${side}`,
      half: true,
      side,
      height: 210,
      sync: "lasting",
      stacked: true,
      series: [...series].reverse(), // the highest first, so that each covers the ones before
      says: `At most ` + each(series, (one) => `${format.count(one.peak)} ${one.name}`).replace(/;/g, ","),
      x: timeAxis(column.lasting),
      y: countAxis("sockets", 1.05 * total),
      shade: null,
    }));
  });
}
