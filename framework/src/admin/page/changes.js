// What the page can change, each time after a question that says what will happen.

let decide;  // who waits for the answer

/// The chosen method (or "") when the answer is yes; null when it is no.
function confirmed({title, text, yes, method}) {
  setText(at("confirm-title"), title);
  setText(at("confirm-text"), text);
  setText(at("confirm-yes"), yes);
  at("confirm-method").hidden = !method;
  at("method").value = "";
  at("confirm").showModal();
  at("confirm-no").focus();
  return new Promise((done) => (decide = done));
}

/// The dialog's own event of closing comes late: the next question may have been asked by then.
function answer(yes) {
  at("confirm").close();
  decide(yes ? at("method").value : null);
}

let outcomeEnds;
function say(text, bad = false) {
  const outcome = at("outcome");
  outcome.hidden = false;
  outcome.classList.toggle("bad", bad);
  setText(outcome, text);
  clearTimeout(outcomeEnds);
  outcomeEnds = setTimeout(() => (outcome.hidden = true), 8000);
}

/// Does it, and says what came of it.
async function carryOut(path, saying) {
  try {
    say(saying(await change(path)));
    await pulse.now();
    await refreshTable();
  } catch (error) {
    say(error instanceof Refused ? error.message : "The server did not answer.", true);
  }
}

function sayClosed(result) {
  const {closed, partial, silent_loops} = JSON.parse(result);
  const late = partial ? ` Loops that did not answer in time, and have closed no more: ${silent_loops.join(", ")}.` : "";
  return (closed === 1 ? "One connection closed." : `${format.count(closed)} connections closed.`) + late;
}

async function close(query, question) {
  const method = await confirmed({yes: "Close", method: true, ...question});
  if (method === null) return;
  if (method) query.set("method", method);
  await carryOut(`/close?${query}`, sayClosed);
}

function closeOne({id, peer, service}) {
  return close(new URLSearchParams({id}), {
    title: `Close ${peer}?`,
    text: `Connection ${id} of ${service} ends, whatever it is doing. It is counted as a drain.`,
  });
}

function closeMatching() {
  const query = filters();
  const said = [...query].map(([name, value]) => `${format.words(name)} ${value}`).join(", ");
  return close(query, {
    title: `Close ${format.count(table.matched)} connections?`,
    text: `All that match when the server looks: ${said}. They end, whatever they are doing.`,
    yes: "Close them",
  });
}

async function drain(event) {
  event.preventDefault();
  const yes = await confirmed({
    title: "Drain the server?",
    text: "It stops listening. Idle connections close at once, others after their exchange; what is left at the drain deadline is aborted. Then the server ends. This cannot be taken back.",
    yes: "Drain",
  });
  if (yes !== null) await carryOut("/drain", () => "The server is draining.");
}

function setLevel(event) {
  event.preventDefault();
  const query = new URLSearchParams({level: at("log-level").value});
  if (at("log-for").value) query.set("for", at("log-for").value);
  return carryOut(`/log?${query}`, (now) => `The log level is ${JSON.parse(now).level}.`);
}

function setLimit(event) {
  event.preventDefault();
  const query = new URLSearchParams({connections: at("limit").value});
  return carryOut(`/limits?${query}`, (now) => `At most ${format.count(JSON.parse(now).connections)} connections.`);
}

function showChanges({log, connections, stage}) {
  const back = log.back_to ? `, back to ${log.back_to} in ${format.time(log.back_in_ms)}` : "";
  setText(at("log-now"), `Now ${log.level}${back}.`);
  setText(at("limit-now"), `Now ${format.count(connections.limit)}, ${format.count(connections.open)} open.`);
  if (!at("limit").value && document.activeElement !== at("limit")) at("limit").value = connections.limit;
  at("drain").disabled = stage !== "running" || changes === "none";
}

function startChanges() {
  const may = {
    page: "Allowed from this machine. Each change is a line in the server's log.",
    token: "Needs the token from here. Each change is a line in the server's log.",
    none: "Not from here: only from the server's machine, unless admin_options.token is set.",
  };
  setText(at("may"), may[changes]);
  offer(at("log-level"), ["trace", "debug", "info", "warn", "error", "critical", "off"]);
  at("log-level").value = "debug";
  at("token-form").hidden = changes !== "token";
  at("token-form").addEventListener("submit", (event) => event.preventDefault());
  at("log-form").addEventListener("submit", setLevel);
  at("limit-form").addEventListener("submit", setLimit);
  at("drain-form").addEventListener("submit", drain);
  at("close-matching").addEventListener("click", closeMatching);
  at("confirm-yes").addEventListener("click", () => answer(true));
  at("confirm-no").addEventListener("click", () => answer(false));
  at("confirm").addEventListener("cancel", () => answer(false));
  if (changes !== "none") return;
  for (const control of document.querySelectorAll(".changes button, .changes input, .changes select")) control.disabled = true;
}
