// Charts as this report wants them, on uPlot: bands, limits, labels at the lines, keyboard, a table of the same.

const charts = []; // {host, draw, drawn}

function colourOf(name) {
  return getComputedStyle(document.documentElement)
    .getPropertyValue("--" + name)
    .trim();
}

// Series by their x, as uPlot wants them: [x, y of the first, y of the second, …].
function aligned(series) {
  const places = [...new Set(series.flatMap((one) => one.points.map((point) => point.x)))].sort(
    (a, b) => a - b,
  );
  const row = new Map(places.map((x, index) => [x, index]));
  const columns = series.flatMap((one) =>
    ["median", "min", "max"].slice(0, one.band ? 3 : 1).map((which) => {
      const values = new Array(places.length).fill(null);
      for (const point of one.points) values[row.get(point.x)] = point[which] ?? null;
      return values;
    }),
  );
  return [places, ...columns];
}

const positive = (values) => values?.map((value) => (value > 0 ? value : null));

function logSplits(min, max) {
  const found = [];
  const decades = Math.log10(max / min);
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); ++power) {
    for (const step of decades > 4 ? [1] : decades > 1.5 ? [1, 3] : [1, 2, 5]) {
      const at = step * 10 ** power;
      if (at >= min * 0.999 && at <= max * 1.001) found.push(at);
    }
  }
  return found;
}

const labelFont = (bold, scale) => `${bold ? 600 : 400} ${12 * scale}px ${colourOf("font")}`;

function widthOf(words) {
  const context = document.createElement("canvas").getContext("2d");
  context.font = labelFont(true, 1);
  return context.measureText(words).width;
}

function text(u, words, x, y, {colour, align = "left", baseline = "middle", bold = false}) {
  const scale = uPlot.pxRatio;
  u.ctx.font = labelFont(bold, scale);
  u.ctx.textAlign = align;
  u.ctx.textBaseline = baseline;
  u.ctx.lineJoin = "round";
  u.ctx.lineWidth = 4 * scale;
  u.ctx.strokeStyle = colourOf("surface");
  u.ctx.strokeText(words, x, y);
  u.ctx.fillStyle = colour;
  u.ctx.fillText(words, x, y);
}

// The warm-up, which is not measured, as a shade with its name.
function drawShade(u, shade) {
  if (!shade) return;
  const {left, top, height} = u.bbox;
  const width = u.valToPos(shade.until, "x", true) - left;
  u.ctx.fillStyle = colourOf("shade");
  u.ctx.fillRect(left, top, width, height);
}

function drawLimits(u, limits) {
  const {left, top, width, height} = u.bbox;
  const scale = uPlot.pxRatio;
  let above = 0;
  for (const limit of limits) {
    const colour = colourOf("limit");
    const inside = limit.at <= u.scales.y.max;
    if (!inside) {
      const line = top + (9 + 15 * above++) * scale;
      text(u, `↑ ${limit.label}`, left + width - 4 * scale, line, {colour, align: "right"});
      continue;
    }
    const y = u.valToPos(limit.at, "y", true);
    u.ctx.save();
    u.ctx.strokeStyle = colour;
    u.ctx.lineWidth = 1.5 * scale;
    u.ctx.setLineDash([7 * scale, 4 * scale]);
    u.ctx.beginPath();
    u.ctx.moveTo(left, y);
    u.ctx.lineTo(left + width, y);
    u.ctx.stroke();
    u.ctx.restore();
    const below = y - top < 18 * scale;
    text(u, limit.label, left + 6 * scale, below ? y + 9 * scale : y - 8 * scale, {colour});
  }
}

// Where the highest sustained rate is.
function drawMarks(u, marks) {
  const {top, height} = u.bbox;
  const scale = uPlot.pxRatio;
  marks.forEach((mark, index) => {
    const x = u.valToPos(mark.at, "x", true);
    const colour = colourOf(mark.colour);
    u.ctx.save();
    u.ctx.strokeStyle = colour;
    u.ctx.lineWidth = 1.5 * scale;
    u.ctx.setLineDash([2 * scale, 3 * scale]);
    u.ctx.beginPath();
    u.ctx.moveTo(x, top);
    u.ctx.lineTo(x, top + height);
    u.ctx.stroke();
    u.ctx.restore();
    const right = x > u.bbox.left + u.bbox.width / 2;
    text(u, mark.label, x + (right ? -5 : 5) * scale, top + (9 + 15 * index) * scale, {
      colour,
      align: right ? "right" : "left",
    });
  });
}

// The name of each line at its end, moved apart where they would cover one another.
function drawLabels(u, series) {
  const scale = uPlot.pxRatio;
  const {left, top, width, height} = u.bbox;
  const step = 14 * scale;
  const labels = [];
  series.forEach((one) => {
    const values = u.data[one.index];
    let last = values.length - 1;
    while (last >= 0 && values[last] == null) --last;
    if (last < 0 || !one.tag) return;
    labels.push({
      tag: one.tag,
      colour: one.tagColour ?? one.colour,
      y: u.valToPos(one.middle?.[last] ?? values[last], "y", true),
    });
  });
  labels.sort((a, b) => a.y - b.y);
  for (let i = 1; i < labels.length; ++i) labels[i].y = Math.max(labels[i].y, labels[i - 1].y + step);
  let floor = top + height - step / 2;
  for (let i = labels.length - 1; i >= 0; --i) {
    labels[i].y = Math.min(labels[i].y, floor);
    floor = labels[i].y - step;
  }
  for (const label of labels) {
    text(u, label.tag, left + width + 7 * scale, label.y, {colour: colourOf(label.colour), bold: true});
  }
}

function tooltip(u, chart, series) {
  const box = element("div", {class: "tip", hidden: true});
  u.over.append(box);
  return () => {
    const {idx, left} = u.cursor;
    const shown =
      idx != null && left >= 0 && (chart.host.matches(":hover") || document.activeElement === chart.host);
    box.hidden = !shown;
    if (!shown) return;
    const rows = series
      .filter((one) => one.value(idx) != null)
      .map((one) =>
        element(
          "div",
          {},
          element("i", {style: `background: var(--${one.colour})`}),
          one.name + " ",
          element("b", {}, chart.y.show(one.value(idx))),
        ),
      );
    box.replaceChildren(element("div", {class: "at"}, chart.x.show(u.data[0][idx])), ...rows);
    const right = left > u.over.clientWidth / 2;
    box.style.left = right ? "" : left + 12 + "px";
    box.style.right = right ? u.over.clientWidth - left + 12 + "px" : "";
  };
}

function axisOf(of, size) {
  const line = {stroke: colourOf("grid"), width: 1};
  const font = `12px ${colourOf("font")}`;
  return {
    stroke: colourOf("muted"),
    font,
    labelFont: font,
    label: of.title,
    labelSize: 18,
    size,
    gap: 4,
    grid: {...line, filter: (u, splits) => splits},
    ticks: {...line, size: 4, filter: (u, splits) => splits},
    filter: (u, splits) => splits,
    values: (u, splits) => splits.map((split) => (split == null ? null : of.tick(split))),
    ...(of.log || of.splits ? {splits: (u, axis, min, max) => (of.splits ?? logSplits)(min, max)} : {}),
    ...(of.space ? {space: of.space} : {}),
  };
}

// chart: {title, says, host, height, half, side, x, y, series, limits, marks, shade, sync, stacked}
// x, y: {title, range, log, splits, tick, show}; a series: {name, tag, colour, dash, width, dots, band, points}
function drawChart(chart, width) {
  const {x, y} = chart;
  const series = []; // of the chart, with their place in the data
  const plotted = [{}];
  const bands = [];
  for (const one of chart.series) {
    const index = plotted.length;
    const stroke = colourOf(one.colour);
    plotted.push({
      stroke: chart.stacked ? colourOf("surface") : stroke,
      width: chart.stacked ? 0.5 : (one.width ?? 2),
      dash: one.dash,
      spanGaps: true,
      points: one.dots ? {show: true, size: 7, stroke, fill: colourOf("surface"), width: 2} : {show: false},
      fill: chart.stacked ? stroke : undefined,
    });
    if (one.band) {
      plotted.push(
        {stroke: "transparent", width: 0, points: {show: false}, spanGaps: true},
        {stroke: "transparent", width: 0, points: {show: false}, spanGaps: true},
      );
      bands.push({series: [index + 2, index + 1], fill: stroke + "24"});
    }
    series.push({...one, index, value: one.value ?? ((at) => u.data[index][at])});
  }
  let data = aligned(chart.series);
  if (y.log) data = [data[0], ...data.slice(1).map(positive)];

  const longest = Math.max(0, ...series.map((one) => (one.tag ? widthOf(one.tag) : 0)));
  const room = longest && longest + 16;
  const labelled = room > 0 && width - room >= 340; // else there are the keys above
  let follow = () => {};
  const u = new uPlot(
    {
      width,
      height: printing ? 0.72 * chart.height : chart.height,
      data,
      legend: {show: false},
      bands,
      padding: [8, labelled ? room : 22, 0, 0],
      series: plotted,
      scales: {
        x: {
          time: false,
          ...(x.log ? {distr: 3, log: 10} : {}),
          range: x.range
            ? () => x.range
            : (self, min, max) => (min === max ? [min - 1, max + 1] : [min, max]),
        },
        y: y.log
          ? {distr: 3, log: 10, range: y.range ? () => y.range : (self, min, max) => [min / 1.15, max * 1.25]}
          : {range: y.range ? () => y.range : (self, min, max) => [0, (max || 1) * 1.08]},
      },
      axes: [axisOf(x, 28), axisOf(y, 58)],
      cursor: {
        points: {size: 7},
        drag: {x: false, y: false},
        ...(chart.sync && !printing ? {sync: {key: chart.sync, setSeries: false}} : {}),
      },
      hooks: {
        drawClear: [() => drawShade(u, chart.shade)],
        draw: [
          () => {
            drawLimits(u, chart.limits ?? []);
            drawMarks(u, chart.marks ?? []);
            if (labelled) drawLabels(u, series);
          },
        ],
        setCursor: [() => follow()],
      },
    },
    data,
    chart.host,
  );
  follow = tooltip(u, chart, series);
  return u;
}

let printing = false;

function redraw(chart) {
  chart.drawn?.destroy();
  const width = printing ? (chart.half ? 330 : 680) : Math.floor(chart.host.clientWidth);
  chart.drawn = width > 0 ? drawChart(chart, width) : null;
}

function redrawAll() {
  charts.forEach(redraw);
}

// The arrow keys go from one point to the next.
function step(chart, event) {
  const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (!by || !chart.drawn) return;
  event.preventDefault();
  const u = chart.drawn;
  const at = Math.min(
    u.data[0].length - 1,
    Math.max(0, (u.cursor.idx ?? (by > 0 ? -1 : u.data[0].length)) + by),
  );
  u.setCursor({left: u.valToPos(u.data[0][at], "x"), top: 10});
}

// The same as numbers, made when somebody asks for them.
function chartTable(chart) {
  const table = element("table", {class: "numbers"});
  const details = element(
    "details",
    {},
    element("summary", {}, "Numbers"),
    element(
      "div",
      {class: "scroll", tabindex: 0, role: "region", "aria-label": `${chart.title}: numbers`},
      table,
    ),
  );
  details.addEventListener("toggle", () => {
    if (!details.open || table.rows.length) return;
    const places = [...new Set(chart.series.flatMap((one) => one.points.map((point) => point.x)))].sort(
      (a, b) => a - b,
    );
    table.append(
      element("caption", {}, chart.y.title),
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("th", {scope: "col"}, chart.x.title),
          chart.series.map((one) => element("th", {scope: "col"}, one.name)),
        ),
      ),
      element(
        "tbody",
        {},
        places.map((x) =>
          element(
            "tr",
            {},
            element("th", {scope: "row"}, chart.x.show(x)),
            chart.series.map((one) => {
              const point = one.points.find((candidate) => candidate.x === x);
              const value = one.own ? one.own(x) : point?.median;
              return element("td", {}, value == null ? none : chart.y.show(value));
            }),
          ),
        ),
      ),
    );
  });
  return details;
}

// A figure: what it shows in words, its legend, the chart, the numbers.
function figure(chart) {
  const keys = chart.series
    .filter((one) => one.name)
    .map((one) =>
      element(
        "li",
        {},
        element("i", {
          class: one.dash ? "line dashed" : chart.stacked ? "area" : "line",
          style: `--key: var(--${one.colour})`,
        }),
        one.name,
      ),
    );
  chart.host = element("div", {
    class: "plot",
    role: "img",
    tabindex: 0,
    "aria-label": `${chart.title}. ${chart.says}`,
  });
  chart.host.addEventListener("keydown", (event) => step(chart, event));
  chart.host.addEventListener("blur", () => chart.drawn?.setCursor({left: -10, top: -10}));
  charts.push(chart);
  return element(
    "figure",
    {class: chart.half ? `half ${chart.side ?? ""}` : null},
    element("figcaption", {}, element("h3", {}, chart.title), element("p", {}, chart.says)),
    keys.length > 1 || chart.stacked ? element("ul", {class: "keys"}, keys) : null,
    chart.host,
    chartTable(chart),
  );
}
