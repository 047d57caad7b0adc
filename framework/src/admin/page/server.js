// The server: what it is asked, and how often.

const secret = document.querySelector("meta[name=dwell-secret]").content;
const changes = document.querySelector("meta[name=dwell-changes]").content;

class Refused extends Error {}

async function ask(path) {
  const answer = await fetch(path, {cache: "no-store", signal: AbortSignal.timeout(5000)});
  if (!answer.ok) throw new Refused((await answer.text()).trim());
  return answer.json();
}

/// Changes something; the answer as text. The secret is this page's, the token its reader's.
async function change(path) {
  const headers = {};
  if (secret) headers["Dwell-Page"] = secret;
  const token = at("token").value;
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, {method: "POST", headers, signal: AbortSignal.timeout(5000)});
  const text = (await answer.text()).trim();
  if (!answer.ok) throw new Refused(text);
  return text;
}

/// Calls `look` again and again while the page is seen and not paused: each second, or less often
/// where an answer takes long, so that it costs the server no more than a twentieth of a loop.
class Pulse {
  constructor(look) {
    this.look = look;
    this.paused = false;
    document.addEventListener("visibilitychange", () => this.schedule(0));
    this.schedule(0);
  }
  pause(on) {
    this.paused = on;
    this.schedule(0);
  }
  /// Now, also while paused.
  async now() {
    clearTimeout(this.timer);
    if (this.looking) return;
    this.looking = true;
    const before = performance.now();
    try {
      await this.look();
    } finally {
      this.looking = false;
      this.schedule(Math.max(1000, 20 * (performance.now() - before)));
    }
  }
  schedule(delay) {
    clearTimeout(this.timer);
    if (this.paused || document.hidden) return;
    this.timer = setTimeout(() => this.now(), delay);
  }
}
