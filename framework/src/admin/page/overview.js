// What is so now: tiles, phases, pressure, idle times, deadlines, loops.

const history = new History();

function tile(name, value, unit, values, aside) {
  return element(
    "div",
    {class: "tile"},
    element("h2", {}, name),
    element("p", {class: "figure"}, value, element("small", {}, unit)),
    sparkline(values, `${name}: the last minute`),
    element("p", {class: "aside"}, aside),
  );
}

function showTiles({connections, totals, loops}) {
  const each = (name) => [format.short(history.rate(name)), "/s", history.rates(name)];
  const busy = history.rates("busy").map((rate) => rate / 10);
  const handshakes = Object.values(totals.handshakes).some(Boolean);
  show(
    at("tiles"),
    tile("Open", format.count(connections.open), "", history.values("open"), `of ${format.count(connections.limit)}`),
    tile("Opened", ...each("opened"), `${format.count(totals.opened)} since the start`),
    tile("Closed", ...each("closed"), connections.waiting_for_frames ? `${format.count(connections.waiting_for_frames)} handlers still run` : `${format.count(totals.opened - connections.open)} since the start`),
    tile("Exchanges", ...each("exchanges"), `${format.short(totals.exchanges)} since the start`),
    tile("Received", format.bytes(history.rate("received")), "/s", history.rates("received"), `${format.bytes(totals.received_bytes)} since the start`),
    tile("Sent", format.bytes(history.rate("sent")), "/s", history.rates("sent"), `${format.bytes(totals.sent_bytes)} since the start`),
    tile("Loops busy", (history.rate("busy") / 10).toFixed(history.rate("busy") < 100 ? 1 : 0), "%", busy, loops.count === 1 ? "one loop" : `mean of ${loops.count} loops`),
    handshakes ? tile("TLS handshakes", ...each("handshakes"), `${format.short(totals.handshakes.resumed ?? 0)} resumed, ${format.short(totals.handshakes.failed ?? 0)} failed`) : null,
  );
}

function showPhases({connections, services}) {
  const {phases, states} = connections;
  const parts = Object.entries(phases).map(([name, count]) => ({name, count, key: name}));
  const several = services.length > 1
    ? ranked(services.map(({service, listen, open}) => ({name: service, note: listen, count: open})))
    : null;
  show(
    at("phases"),
    stacked(parts),
    element(
      "dl",
      {class: "across"},
      [
        ["no FIN yet", states.established],
        ["peer’s FIN has come", states.peer_closed],
        ["held open by a handler", states.held, "bad"],
        ["our FIN has left", states.closing],
        ["reset, not asked yet", states.reset],
      ].map(([name, count, tone]) =>
        element("div", {}, element("dt", {}, name), element("dd", {class: count ? tone : "zero"}, format.count(count))),
      ),
    ),
    several,
  );
}

const rungs = [
  ["normal", "normal"],
  ["shrink_idle", "idle deadlines shrink"],
  ["evict_idle", "longest idle leave"],
  ["pause_accept", "accepting is paused"],
  ["refuse", "new ones are refused"],
];

function ladder({level, reached}) {
  const height = rungs.findIndex(([name]) => name === level);
  return element(
    "ol",
    {class: "ladder"},
    rungs.map(([name, text], i) =>
      element(
        "li",
        {class: i === height ? `here rung-${i}` : null, "aria-current": i === height ? "step" : null},
        element("span", {}, text),
        i ? element("b", {class: reached[name] ? "" : "zero"}, `${format.count(reached[name])} ×`) : null,
      ),
    ),
  );
}

function showPressure({connections, totals, pressure}) {
  const {open, limit} = connections;
  const others = Object.entries(pressure.used_percent).filter(([name, used]) => name !== "connections" && (used || name === pressure.cause));
  const happened = [
    ["closed early, idle", totals.shrunk],
    ["evicted", totals.evicted],
    ["refused", totals.refused, "bad"],
    ["accept failed", totals.accept_failed, "bad"],
    ["closed later: reap rate", totals.reaped_later],
    ["requests that crossed our FIN", totals.reap_raced],
  ].filter(([, count]) => count);
  show(
    at("pressure"),
    element("p", {class: "figure"}, format.percent(open, limit), element("small", {}, `${format.count(open)} of ${format.count(limit)}`)),
    gauge(open, limit, `${format.count(open)} of ${format.count(limit)} connections`),
    others.length ? element("p", {class: "aside"}, others.map(([name, used]) => `${name} ${used} %`).join(", ")) : null,
    ladder(pressure),
    happened.length ? facts(happened.map(([name, count, tone]) => [name, format.count(count), tone])) : null,
  );
}

/// Columns up to the last that has something, and at least five.
function histogram(pairs, milliseconds, unit) {
  const last = pairs.findLastIndex(([, count]) => count > 0);
  const kept = pairs.slice(0, Math.max(5, last + 1));
  const text = (bound) => (bound === null ? "more" : format.bound(bound * milliseconds));
  return columns(kept.map(([bound, count]) => ({label: text(bound), count})), unit);
}

function showNext({next_due}) {
  if (!next_due.length) return show(at("next"), element("p", {class: "empty"}, "Nobody has a deadline."));
  show(
    at("next"),
    element(
      "table",
      {class: "small"},
      element("thead", {}, element("tr", {}, ["Peer", "Phase", "Left"].map((name) => element("th", {scope: "col"}, name)))),
      element(
        "tbody",
        {},
        next_due.map((row) =>
          element(
            "tr",
            {},
            element("td", {title: row.id}, row.peer),
            element("td", {}, element("i", {class: `key-${row.phase}`, "aria-hidden": "true"}), row.phase),
            element("td", {}, format.time(row.deadline_ms)),
          ),
        ),
      ),
    ),
  );
}

function showLoops({loops}) {
  const now = loops.longest_turn_now_ms;
  show(
    at("loops"),
    histogram(loops.turns_ms, 1, "turns"),
    facts([
      ["longest turn right now", format.time(now), now >= 100 ? "bad" : "zero"],
      ["loops that do not answer", loops.silent.length ? loops.silent.join(", ") : "none", loops.silent.length ? "bad" : "zero"],
    ]),
  );
}

function showOverview(status) {
  history.add(status);
  showTiles(status);
  showPhases(status);
  showPressure(status);
  show(at("idle"), histogram(status.idle_s, 1000, "connections"));
  showNext(status);
  showLoops(status);
}
