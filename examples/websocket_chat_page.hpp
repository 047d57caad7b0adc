#pragma once

#include <string_view>

/// The whole page: no file, no other host.
inline constexpr std::string_view chat_page = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Chat</title>
<link rel="icon" href="data:,">
<style>
  :root {
    --paper: #f6f7f9; --card: #fff; --ink: #1b2430; --quiet: #667085; --line: #dfe3e8;
    --mine: #1f6feb; --on-mine: #fff; --good: #1a7f4b; --bad: #b4540a;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --paper: #0f141a; --card: #19212b; --ink: #e6ebf1; --quiet: #93a1b2; --line: #2b3643;
      --mine: #2f74d8; --on-mine: #fff; --good: #4cc38a; --bad: #f0a35e;
    }
  }
  * { box-sizing: border-box; }
  html, body { height: 100%; margin: 0; }
  body { background: var(--paper); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
  main {
    display: flex; flex-direction: column; height: 100dvh; max-width: 46rem; margin: auto;
    padding: 0 max(1rem, env(safe-area-inset-left)) max(.75rem, env(safe-area-inset-bottom));
  }
  header { display: flex; align-items: baseline; gap: .75rem; padding: .9rem .1rem .7rem; }
  h1 { font-size: 1.15rem; margin: 0; }
  #status { margin-left: auto; color: var(--quiet); font-size: .875rem; }
  #status::before { content: "● "; color: var(--bad); }
  #status.open::before { color: var(--good); }
  #said {
    flex: 1; overflow-y: auto; margin: 0; padding: .9rem; list-style: none;
    background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
    display: flex; flex-direction: column; gap: .3rem;
  }
  #said::before { content: ""; margin-top: auto; }
  #said li { max-width: 85%; width: fit-content; overflow-wrap: anywhere; }
  #said .note { align-self: center; color: var(--quiet); font-size: .8125rem; }
  #said .text { padding: .4rem .75rem; border: 1px solid var(--line); border-radius: .9rem; white-space: pre-wrap; }
  #said .mine { align-self: flex-end; background: var(--mine); border-color: var(--mine); color: var(--on-mine); }
  #said b { display: block; font-size: .8125rem; color: var(--quiet); font-weight: 600; }
  #said .mine b { display: none; }
  form { display: flex; gap: .5rem; padding-top: .75rem; }
  input, button { font: inherit; border-radius: .6rem; border: 1px solid var(--line); padding: .6rem .8rem; min-width: 0; }
  input { background: var(--card); color: var(--ink); }
  #name { width: 8.5rem; }
  #text { flex: 1; }
  button { background: var(--mine); border-color: var(--mine); color: var(--on-mine); font-weight: 600; cursor: pointer; }
  button:disabled { opacity: .5; cursor: default; }
  :focus-visible { outline: 2px solid var(--mine); outline-offset: 2px; }
  @media (max-width: 30rem) { form { flex-wrap: wrap; } #name { width: 100%; } }
</style>
</head>
<body>
<main>
  <header><h1>Chat</h1><span id="members"></span><span id="status" role="status">connecting</span></header>
  <ol id="said" aria-live="polite" aria-label="What has been said" tabindex="0"></ol>
  <form id="say">
    <input id="name" aria-label="Your name" maxlength="20" autocomplete="nickname" required>
    <input id="text" aria-label="Message" placeholder="Message" maxlength="1000" autocomplete="off" autofocus>
    <button id="send" disabled>Send</button>
  </form>
</main>
<script>
"use strict";
const at = (id) => document.getElementById(id);
const longestWait = 30000;
let socket = null, wait = 0, timer = 0, name = "";

const saved = (() => { try { return localStorage.getItem("name"); } catch { return null; } })();
at("name").value = new URLSearchParams(location.search).get("name") || saved || "guest-" + Math.floor(1000 + Math.random() * 9000);

function show(kind, text, from) {
  const line = document.createElement("li");
  line.className = kind;
  if (from !== undefined) line.append(Object.assign(document.createElement("b"), {textContent: from}));
  line.append(text);
  const list = at("said"), follows = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(line);
  while (list.children.length > 500) list.firstElementChild.remove();
  if (follows) list.scrollTop = list.scrollHeight;
}

function state(text, open = false) {
  at("status").textContent = text;
  at("status").classList.toggle("open", open);
  at("send").disabled = !open;
}

function introduce() {
  name = at("name").value.trim() || name;
  at("name").value = name;
  try { localStorage.setItem("name", name); } catch { /* then not */ }
  socket.send(JSON.stringify({name}));
}

function hear(said) {
  if (said.members !== undefined) at("members").textContent = said.members === 1 ? "only you" : said.members + " here";
  if (said.text !== undefined) show(said.from === name ? "text mine" : "text", said.text, said.from);
  else if (said.joined !== undefined) show("note", said.joined + " joined");
  else if (said.left !== undefined) show("note", said.left + " left");
  else if (said.renamed !== undefined) show("note", said.renamed + " is now " + said.to);
  else if (said.unheard) show("note", "too much is being said: nobody heard that");
}

function connect() {
  clearTimeout(timer);
  state("connecting");
  socket = new WebSocket(location.protocol.replace("http", "ws") + "//" + location.host + "/chat");
  socket.onopen = () => { wait = 0; state("connected", true); introduce(); };
  socket.onmessage = (event) => hear(JSON.parse(event.data));
  socket.onclose = (event) => {
    wait = wait === 0 ? 500 : Math.min(longestWait, wait * 2);
    const why = event.reason || (event.code === 1001 ? "the server has closed" : event.code === 1006 ? "no connection" : "closed, " + event.code);
    state(why + "; again in " + wait / 1000 + " s");
    timer = setTimeout(connect, wait * (0.5 + Math.random()));  // not all at once
  };
}

at("say").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  if (at("name").value.trim() !== name) introduce();
  const text = at("text").value.trim();
  if (text) socket.send(JSON.stringify({text}));
  at("text").value = "";
});
at("name").addEventListener("change", () => { if (socket.readyState === WebSocket.OPEN) introduce(); });
addEventListener("resize", () => { at("said").scrollTop = at("said").scrollHeight; });  // a keyboard has come, or gone
addEventListener("online", () => { if (socket.readyState === WebSocket.CLOSED) connect(); });
connect();
</script>
</body>
</html>
)html";
