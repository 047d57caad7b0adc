// Looks at the server again and again, and shows what it says.

let known;       // the process that this page is about
let lastAnswer;  // when it was heard of

function notice(text) {
  setText(at("notice"), text);
  at("notice").hidden = !text;
}

const stageWords = {made: "does not run yet", running: "running", draining: "draining", ended: "has ended"};

function showStage({stage, services, connections}) {
  document.body.dataset.stage = stage;
  setText(at("stage"), stageWords[stage]);
  setText(at("listening"), services.map((each) => each.listen).join(", "));
  const left = connections.open === 1 ? "one connection is left" : `${format.count(connections.open)} connections are left`;
  notice(stage === "draining" ? `The server is draining: ${left}.` : stage === "ended" ? "The server has ended; these are its last figures." : "");
}

function showFresh() {
  const text = pulse.paused ? "paused" : "live";
  setText(at("fresh"), lastAnswer ? `${text}, ${lastAnswer.toLocaleTimeString()}` : text);
}

function showGone(error) {
  document.body.dataset.stage = "gone";
  setText(at("stage"), "no answer");
  const since = lastAnswer ? ` since ${lastAnswer.toLocaleTimeString()}` : "";
  notice(error instanceof Refused ? error.message : `The server has not answered${since}. Asking again every second; the figures are its last.`);
}

async function look() {
  try {
    const status = await ask("/status");
    if (known !== undefined && known !== status.pid) return location.reload();
    known = status.pid;
    lastAnswer = new Date();
    showStage(status);
    offerFilters(status);
    showOverview(status);
    showEnds(status);
    showHow(status);
    showChanges(status);
    await refreshTable(false);
    await lookAtKernel();
  } catch (error) {
    if (!(error instanceof Refused) && error.name !== "TypeError" && error.name !== "TimeoutError") console.error(error);
    showGone(error);
  }
  showFresh();
}

startTable();
startChanges();
const pulse = new Pulse(look);
at("pause").addEventListener("click", () => {
  pulse.pause(!pulse.paused);
  at("pause").setAttribute("aria-pressed", pulse.paused);
  setText(at("pause"), pulse.paused ? "Go on" : "Pause");
  showFresh();
});
