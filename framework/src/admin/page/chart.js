// Small charts, drawn with what HTML and SVG have. Each says its figures as text, too.

/// A line of the last minute: as wide as its place, from 0 to its highest value.
function sparkline(values, label) {
  const width = 120, height = 28;
  const most = Math.max(...values.filter(Number.isFinite), 1e-9);
  const x = (i) => (width * (i + historySize - values.length)) / (historySize - 1);
  const y = (value) => height - 1.5 - ((height - 4) * value) / most;
  const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`);
  const line = points.length > 1 ? `M${points.join("L")}` : "";
  const area = line && `${line}L${width},${height}L${x(0).toFixed(1)},${height}Z`;
  return element(
    "svg",
    {viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", class: "spark", role: "img", "aria-label": label},
    element("path", {d: area, class: "area"}),
    element("path", {d: line, class: "stroke"}),
  );
}

/// Columns side by side: `[{label, count}]`.
function columns(bars, unit) {
  const most = Math.max(1, ...bars.map((bar) => bar.count));
  return element(
    "ol",
    {class: "columns"},
    bars.map(({label, count}) =>
      element(
        "li",
        {title: `${label === "more" ? label : `up to ${label}`}: ${format.count(count)} ${unit}`},
        element("span", {class: "n"}, count ? format.short(count) : ""),
        element("span", {class: "column", "--share": count ? Math.max(0.012, count / most) : 0}),
        element("span", {class: "label"}, label),
      ),
    ),
  );
}

/// One bar, cut in parts: `[{name, count, key}]`; and what each part is.
function stacked(parts) {
  const total = parts.reduce((sum, part) => sum + part.count, 0);
  return [
    element(
      "div",
      {class: "stack", "aria-hidden": "true"},
      total
        ? parts
            .filter((part) => part.count)
            .map((part) => element("span", {class: `key-${part.key}`, "--grow": part.count}))
        : element("span", {class: "none", "--grow": 1}),
    ),
    element(
      "ul",
      {class: "keys"},
      parts.map(({name, count, key}) =>
        element(
          "li",
          {class: count ? null : "zero"},
          element("i", {class: `key-${key}`, "aria-hidden": "true"}),
          element("span", {}, name),
          " ",
          element("b", {}, format.count(count)),
        ),
      ),
    ),
  ];
}

/// Rows with a bar behind: `[{name, count, note}]`.
function ranked(rows) {
  const most = Math.max(1, ...rows.map((row) => row.count));
  return element(
    "ul",
    {class: "ranked"},
    rows.map(({name, count, note, tone}) =>
      element(
        "li",
        {class: tone, "--share": count / most},
        element("span", {class: "name"}, name),
        element("span", {class: "note"}, note ?? ""),
        element("b", {}, format.count(count)),
      ),
    ),
  );
}

/// How much of something is used.
function gauge(part, whole, label) {
  const share = whole > 0 ? Math.min(1, part / whole) : 0;
  const tone = share >= 0.95 ? "bad" : share >= 0.8 ? "warn" : "";
  return element("div", {class: `gauge ${tone}`, role: "img", "aria-label": label}, element("span", {"--share": share}));
}

/// Names and figures.
function facts(rows) {
  return element(
    "dl",
    {class: "facts"},
    rows.map(([name, value, tone]) => [element("dt", {}, name), element("dd", {class: tone}, value)]),
  );
}
