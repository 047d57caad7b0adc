// The open connections. The server sorts and filters, so that it is right for a million, too.

const tableColumns = [
  {name: "id", sort: "id", text: (row) => row.id},
  {name: "peer", text: (row) => row.peer, title: (row) => (row.tls ? `over ${row.tls}` : "without TLS")},
  {name: "service", text: (row) => row.service},
  {name: "state", text: (row) => (row.reason ? `${row.state}: ${format.words(row.reason)}` : format.words(row.state))},
  {name: "phase", text: (row) => row.phase, key: (row) => `key-${row.phase}`},
  {name: "idle", sort: "idle", figure: true, text: (row) => format.time(row.idle_ms)},
  {name: "deadline in", sort: "deadline", figure: true, text: (row) => (row.deadline_ms === null ? "off" : format.time(row.deadline_ms))},
  {name: "age", sort: "age", figure: true, text: (row) => format.time(row.age_ms)},
  {name: "received", sort: "received", figure: true, text: (row) => format.bytes(row.received_bytes)},
  {name: "sent", sort: "sent", figure: true, text: (row) => format.bytes(row.sent_bytes)},
  {name: "queued", sort: "queued", figure: true, text: (row) => format.bytes(row.queued_bytes)},
  {name: "exchanges", sort: "exchanges", figure: true, text: (row) => format.count(row.exchanges)},
];
const table = {sort: "-idle", rows: new Map(), matched: 0};
const tableBody = at("connections").tBodies[0];

/// The filters that say something, as the server reads them.
function filters() {
  const given = new URLSearchParams();
  for (const [name, value] of new FormData(at("filters"))) {
    if (name !== "limit" && value.trim()) given.set(name, value.trim());
  }
  return given;
}

function sortBy(column) {
  const descending = table.sort === column.sort || (table.sort !== `-${column.sort}` && column.sort !== "id" && column.sort !== "deadline");
  table.sort = descending ? `-${column.sort}` : column.sort;
  showSort();
  refreshTable();
}

function showSort() {
  for (const [i, column] of tableColumns.entries()) {
    if (!column.sort) continue;
    const up = table.sort === column.sort, down = table.sort === `-${column.sort}`;
    at("connections").tHead.rows[0].cells[i].setAttribute("aria-sort", up ? "ascending" : down ? "descending" : "none");
  }
}

function makeHead() {
  const cell = (column) =>
    element(
      "th",
      {scope: "col", class: column.figure ? "figure" : null},
      column.sort ? element("button", {type: "button", onclick: () => sortBy(column)}, column.name) : column.name,
    );
  const last = element("th", {scope: "col"}, element("span", {class: "hidden"}, "Close"));
  at("connections").tHead.append(element("tr", {}, tableColumns.map(cell), last));
  showSort();
}

function makeRow(row) {
  const cells = tableColumns.map((column) => element(column.name === "id" ? "th" : "td", {class: column.figure ? "figure" : null, scope: column.name === "id" ? "row" : null}));
  const button = element("button", {type: "button", class: "quiet", "aria-label": `Close ${row.id}, ${row.peer}`, onclick: () => closeOne(row)}, "Close");
  return {cells, button, tr: element("tr", {"data-id": row.id}, cells, element("td", {}, button))};
}

function fillRow({cells, button, tr}, row) {
  tr.classList.remove("gone");
  button.disabled = row.state === "closing" || changes === "none";
  tableColumns.forEach((column, i) => {
    const text = column.text(row);
    if (cells[i].textContent === text) return;
    cells[i].replaceChildren(column.key ? element("i", {class: column.key(row), "aria-hidden": "true"}) : "", text);
    if (column.title) cells[i].title = column.title(row);
  });
}

/// Whoever points at a row, or has gone to its button by the keyboard, finds it still there.
function isHeld() {
  return table.rows.size > 0 && (tableBody.matches(":hover") || tableBody.contains(document.activeElement));
}

function showRows(rows, held) {
  const seen = new Set(rows.map((row) => row.id));
  for (const [id, known] of table.rows) {
    if (seen.has(id)) continue;
    if (held) {
      known.tr.classList.add("gone");
      known.button.disabled = true;
    } else {
      known.tr.remove();
      table.rows.delete(id);
    }
  }
  let place = tableBody.firstChild;
  for (const row of rows) {
    let known = table.rows.get(row.id);
    if (!known) {
      if (held) continue;
      table.rows.set(row.id, (known = makeRow(row)));
    }
    fillRow(known, row);
    if (held) continue;
    if (known.tr === place) place = place.nextSibling;
    else tableBody.insertBefore(known.tr, place);
  }
}

function showMatched({matched, connections, partial, silent_loops}, held) {
  table.matched = matched;
  const shown = matched > connections.length ? `The first ${format.count(connections.length)} of ${format.count(matched)}` : format.count(matched);
  const parts = [`${shown} ${matched === 1 ? "connection" : "connections"}`];
  if (partial) parts.push(`loops that do not answer: ${silent_loops.join(", ")}`);
  if (held) parts.push("rows stay where they are while you are among them");
  setText(at("matched"), parts.join("; "));
  const some = filters().size > 0;
  at("close-matching").disabled = !some || matched === 0 || changes === "none";
  setText(at("close-matching"), some ? `Close ${format.count(matched)} that match…` : "Close those that match…");
  at("close-matching").title = some ? "" : "Set a filter first";
}

/// `fresh`: sorted or filtered anew, so that all rows may change.
async function refreshTable(fresh = true) {
  const query = filters();
  query.set("sort", table.sort);
  query.set("limit", at("filters").elements.limit.value);
  const asked = (table.asked = query.toString());
  try {
    const reply = await ask(`/connections?${asked}`);
    if (asked !== table.asked) return;
    const held = !fresh && isHeld();
    showRows(reply.connections, held);
    showMatched(reply, held);
    at("filter-error").hidden = true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    setText(at("filter-error"), error.message);
    at("filter-error").hidden = false;
  }
}

function offer(select, names) {
  const known = [...select.options].map((option) => option.value);
  for (const name of names) {
    if (!known.includes(name)) select.append(element("option", {value: name}, format.words(name)));
  }
}

function offerFilters({connections, services}) {
  const {service, phase, state} = at("filters").elements;
  offer(service, services.map((each) => each.service));
  offer(phase, Object.keys(connections.phases));
  offer(state, ["open", "peer_closed", "held", "closing"]);
}

function startTable() {
  makeHead();
  let wait;
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("filters").addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(() => refreshTable().catch(() => {}), 150);
  });
}
