// Puts the page together.

function listOf(texts, attributes = {}) {
  return element("ul", attributes, ...texts.map((text) => element("li", {}, text)));
}

function verdictOf(report, several) {
  const sentence = (...words) => element(several ? "p" : "h1", {class: "verdict"}, ...words);
  const parts = [];
  if (report.partial) {
    const why = " It was interrupted; what was measured until then is here.";
    parts.push(element("p", {class: "partial"}, element("strong", {}, "Partial."), why));
  }
  if (report.verdict) parts.push(sentence(emphasised(report.verdict)));
  else if (!report.withheld.length) {
    parts.push(sentence("Measured, without a verdict."));
    parts.push(element("p", {class: "hint"}, "That is for dwell-load compare to give: it repeats each run."));
  }
  if (report.withheld.length) {
    const none = report.verdict ? null : sentence("No verdict: these figures would not carry one.");
    parts.push(element("div", {class: "withheld"}, none, listOf(report.withheld)));
  }
  return parts;
}

function headerOf(reports) {
  const about = (report) =>
    element(
      "p",
      {class: "about"},
      [format.date(report.written), report.environment.server, report.environment.link]
        .filter(Boolean)
        .join(" · "),
    );
  if (reports.length === 1) return [verdictOf(reports[0], false), about(reports[0])];
  return [
    element("h1", {}, `${reports.length} reports, side by side`),
    reports.map((report) =>
      element(
        "section",
        {class: "one"},
        element("h2", {}, report.name),
        verdictOf(report, true),
        about(report),
      ),
    ),
  ];
}

function chartsOf(reports, columns) {
  if (typeof uPlot === "undefined") {
    return [
      element(
        "p",
        {class: "hint"},
        "This dwell-load was built without uPlot, which draws the charts. With npm installed, configure and build it again; then ",
        element("code", {}, "dwell-load report report.json"),
        " makes this page with charts. All figures are in the tables.",
      ),
    ];
  }
  const timed = element("div", {class: "figures"});
  const repeats = Math.max(0, ...columns.map((column) => column.runs.length));
  const fill = (repeat) => {
    charts.filter((chart) => timed.contains(chart.host)).forEach((chart) => chart.drawn?.destroy());
    charts.splice(0, charts.length, ...charts.filter((chart) => !timed.contains(chart.host)));
    const runsOf = (column) => (repeat == null ? column.runs : column.runs.slice(repeat, repeat + 1));
    const shown = columns.filter((column) => runsOf(column).length);
    if (!shown.length) return;
    timed.replaceChildren(
      ...[
        ...latencyFigures(shown, runsOf),
        throughputFigure(shown, runsOf),
        ...cpuFigures(shown, runsOf),
      ].map(figure),
    );
    charts.filter((chart) => timed.contains(chart.host)).forEach(redraw);
  };
  const choice = element(
    "select",
    {id: "repeat"},
    element("option", {value: ""}, "all repeats, median and range"),
    Array.from({length: repeats}, (_, index) =>
      element("option", {value: index}, `repeat ${index + 1} alone`),
    ),
  );
  choice.addEventListener("change", () => fill(choice.value === "" ? null : Number(choice.value)));
  const quantiles = quantileFigure(columns);
  const search = searchFigures(columns);
  const parts = [];
  if (quantiles)
    parts.push(
      element("h2", {}, "How long requests took"),
      element("div", {class: "figures"}, figure(quantiles)),
    );
  if (search.length)
    parts.push(
      element("h2", {}, "How much it takes"),
      element("div", {class: "figures"}, search.map(figure)),
    );
  if (repeats) {
    parts.push(
      element("h2", {}, "Second by second"),
      repeats > 1
        ? element("p", {class: "choice"}, element("label", {for: "repeat"}, "Show "), choice)
        : null,
      timed,
    );
  }
  const waiting = columns.filter((column) => column.lasting.length);
  if (waiting.length) {
    const long = waiting.some((column) => column.isLasting);
    parts.push(
      element("h2", {}, "Where TIME_WAIT goes"),
      long
        ? element(
            "p",
            {class: "hint"},
            "From one run of over 60 s of each column that leaves TIME_WAITs: that is how long they last.",
          )
        : null,
      element(
        "div",
        {class: "figures"},
        [...timeWaitFigures(reports, waiting), ...stateFigures(waiting)].map(figure),
      ),
    );
  }
  return [...parts.filter(Boolean), () => fill(null)];
}

// One row per setting; what differs between the ends, or between the reports, stands out.
function settingsTable(reports) {
  const ends = reports.flatMap((report) =>
    ["client", "server"].map((side) => ({
      name: reports.length > 1 ? `${report.name}, ${side}` : side,
      of: report.environment[`${side}_sysctls`] ?? {},
    })),
  );
  const names = [...new Set(ends.flatMap((end) => Object.keys(end.of)))].sort();
  if (!names.length) return null;
  return element(
    "div",
    {class: "scroll", tabindex: 0, role: "region", "aria-label": "Kernel settings"},
    element(
      "table",
      {class: "numbers settings"},
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          ["sysctl", ...ends.map((end) => end.name)].map((head) => element("th", {scope: "col"}, head)),
        ),
      ),
      element(
        "tbody",
        {},
        names.map((name) => {
          const values = ends.map((end) => end.of[name]);
          // Between the ends of one report; of several, between the same ends.
          const differ =
            reports.length > 1
              ? [0, 1].some((side) => new Set(values.filter((_, index) => index % 2 === side)).size > 1)
              : new Set(values).size > 1;
          return element(
            "tr",
            {class: differ ? "differs" : null},
            element(
              "th",
              {scope: "row"},
              name,
              differ ? element("span", {class: "hidden"}, " (differs)") : null,
            ),
            values.map((value) => element("td", {}, value ?? none)),
          );
        }),
      ),
    ),
  );
}

function factsOf(report) {
  const {environment} = report;
  return {
    server: environment.server,
    link: environment.link,
    kernel: environment.kernel,
    processor: [environment.processors ? `${environment.processors} ×` : "", environment.processor]
      .filter(Boolean)
      .join(" "),
    "descriptors allowed": format.count(environment.descriptors),
    "tcp_max_tw_buckets, client": format.count(environment.client_time_wait_limit),
    "tcp_max_tw_buckets, server": format.count(environment.server_time_wait_limit),
    "dwell-load": environment.version,
    written: format.date(report.written),
  };
}

function environmentOf(reports) {
  const facts = reports.map(factsOf);
  const names = Object.keys(facts[0]);
  const rows = names.map((name) => {
    const values = facts.map((fact) => fact[name]);
    const differ = new Set(values).size > 1 && name !== "written";
    return element(
      "tr",
      {class: differ ? "differs" : null},
      element("th", {scope: "row"}, name, differ ? element("span", {class: "hidden"}, " (differs)") : null),
      values.map((value) => element("td", {}, value)),
    );
  });
  const several = reports.length > 1;
  const settings = ["client_sysctls", "server_sysctls"].flatMap((ends) =>
    [...new Set(reports.flatMap((report) => Object.keys(report.environment[ends])))].filter(
      (name) => new Set(reports.map((report) => report.environment[ends][name])).size > 1,
    ),
  );
  const differing = [
    ...names.filter((name) => name !== "written" && new Set(facts.map((fact) => fact[name])).size > 1),
    ...new Set(settings),
  ];
  return [
    element("h2", {}, "Environment"),
    several
      ? element(
          "p",
          {class: "hint"},
          differing.length
            ? `These reports differ in: ${differing.join(", ")}. Compare with care.`
            : "These reports do not differ in what is listed here, their dates apart.",
        )
      : null,
    element(
      "div",
      {class: "scroll", tabindex: 0, role: "region", "aria-label": "Environment"},
      element(
        "table",
        {class: "facts"},
        several
          ? element(
              "thead",
              {},
              element(
                "tr",
                {},
                element("td", {}),
                reports.map((report) => element("th", {scope: "col"}, report.name)),
              ),
            )
          : null,
        element("tbody", {}, rows),
      ),
    ),
    settingsTable(reports),
  ];
}

function download(report, name) {
  const link = element("a", {href: "#", download: name}, name);
  link.addEventListener("click", () => {
    link.href = URL.createObjectURL(new Blob([JSON.stringify(report.raw)], {type: "application/json"}));
  });
  return link;
}

function commandsOf(reports) {
  return [
    element("h2", {}, "Command and raw data"),
    reports.map((report) => [
      reports.length > 1 ? element("h3", {}, report.name) : null,
      element("pre", {}, element("code", {}, report.command)),
      element(
        "p",
        {},
        "Raw data: ",
        download(report, reports.length > 1 ? `${report.name.replace(/\W+/g, "-")}.json` : "report.json"),
        ", which ",
        element("code", {}, "dwell-load report"),
        " reads again. Its histograms hold the percentiles shown here; all their buckets are in the file that the run wrote.",
      ),
    ]),
  ];
}

function remarksOf(reports) {
  const parts = reports
    .filter((report) => report.remarks.length)
    .map((report) => [
      reports.length > 1 ? element("h3", {}, report.name) : null,
      listOf(report.remarks.map(emphasised), {class: "remarks"}),
    ]);
  return parts.length ? [element("h2", {}, "What follows"), parts] : [];
}

function show(reports) {
  const columns = columnsOf(reports);
  const parts = [element("header", {}, headerOf(reports).flat(3))];
  if (columns.length)
    parts.push(
      element(
        "section",
        {},
        element("h2", {}, "Side by side"),
        columnsTable(reports, columns),
        runsTable(columns),
      ),
    );
  const drawn = columns.length ? chartsOf(reports, columns) : [];
  const fill = typeof drawn.at(-1) === "function" ? drawn.pop() : () => {};
  parts.push(
    element("section", {}, drawn),
    element("section", {}, remarksOf(reports).flat(3)),
    element("section", {class: "environment"}, environmentOf(reports)),
    element("section", {}, commandsOf(reports).flat(3)),
  );
  document.querySelector("main").replaceChildren(...parts);
  if (typeof uPlot === "undefined") return;
  redrawAll();
  fill();
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return; // phones resize as their address bar hides
    width = window.innerWidth;
    requestAnimationFrame(redrawAll);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  const print = (on) => () => {
    printing = on;
    document.documentElement.classList.toggle("printing", on);
    redrawAll();
  };
  window.addEventListener("beforeprint", print(true));
  window.addEventListener("afterprint", print(false));
}

show(
  JSON.parse(document.getElementById("data").textContent).map(({name, report}) => ({
    ...report,
    name,
    raw: report,
  })),
);
