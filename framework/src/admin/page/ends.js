// How connections have ended.

const reasonTones = {
  handshake_timeout: "warn", read_timeout: "warn", handle_timeout: "bad", write_timeout: "warn", overload: "warn",
  protocol_error: "warn", handler_failed: "bad", peer_reset: "warn", peer_vanished: "warn",
};
const placeNames = {
  here: "here", there: "with the peer", both: "at both ends", nowhere: "nowhere", not_applicable: "not TCP",
};

function showEnds({totals}) {
  const rows = Object.entries(totals.closed)
    .filter(([, count]) => count)
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => ({name: format.words(name), count, tone: reasonTones[name]}));
  const none = Object.entries(totals.closed).filter(([, count]) => !count).map(([name]) => format.words(name));
  show(
    at("ends"),
    rows.length ? ranked(rows) : element("p", {class: "empty"}, "None has ended yet."),
    rows.length && none.length ? element("p", {class: "aside"}, `None: ${none.join(", ")}.`) : null,
  );
}

function showHow({totals}) {
  const nonzero = (counts) => Object.entries(counts).filter(([, count]) => count).sort((a, b) => b[1] - a[1]);
  const methods = nonzero(totals.methods);
  const places = nonzero(totals.time_wait);
  if (!methods.length) return show(at("how"), element("p", {class: "empty"}, "None has ended yet."));
  const all = places.reduce((sum, [, count]) => sum + count, 0);
  show(
    at("how"),
    ranked(methods.map(([name, count]) => ({name, count}))),
    element("h3", {}, "TIME_WAIT"),
    ranked(places.map(([name, count]) => ({name: placeNames[name] ?? name, count}))),
    element("p", {class: "aside"}, `${format.percent(totals.time_wait_observed, all)} seen in the socket's state, the rest expected.`),
  );
}
