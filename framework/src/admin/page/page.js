// Looks at the server again and again, and shows what it says.

let known;       // the process that this page is about
let lastAnswer;  // when it was heard of

function notice(text) {
  setText(at("notice"), text);
  at("notice").hidden = !text;
}

const stageWords = {made: "does not run yet", running: "running", draining: "draining", ended: "has ended"};

const drainSteps = {
  none: "",
  announcing: "told to whoever asks, still accepting",
  accepting_last: "letting in who waits",
  finishing: "idle ones leave, others after their exchange",
  aborting: "the deadline has passed, what is left is reset",
  ended: "",
};

function drainText({step, connections, at_start, aborted, crossed, elapsed_ms, left_ms}) {
  const left = `${format.count(connections)} of ${format.count(at_start)} connections left`;
  const parts = [drainSteps[step], left, `for ${format.time(elapsed_ms)}`];
  if (left_ms !== null) parts.push(`at most ${format.time(left_ms)} more in this step`);
  if (crossed) parts.push(`${format.count(crossed)} sent something as they were closed`);
  if (aborted) parts.push(`${format.count(aborted)} reset`);
  return parts.filter(Boolean).join("; ");
}

function showStage({stage, services, drain}) {
  document.body.dataset.stage = stage;
  setText(at("stage"), stageWords[stage]);
  setText(at("listening"), services.map((each) => each.listen).join(", "));
  notice(
    stage === "draining" ? `Draining: ${drainText(drain)}.`
    : stage === "ended" ? "The server has ended; these are its last figures."
    : "",
  );
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
