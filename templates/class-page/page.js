// Shows what the server pushes. Texts are only ever set as text, never as HTML.
"use strict";

const GOOD = new Set(["healthy"]);
const BUSY = new Set(["starting", "created"]);
// Milliseconds without a word from the server after which it counts as lost.
const SILENCE = 20000;
const UNITS = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3], ["B", 1]];
const OPEN = new Set(["waiting", "running"]);
const PRESENT = { restart: "restarting", reset: "resetting" };
const PAST = { restart: "restarted", reset: "reset" };

const token = document.querySelector("meta[name=token]").content;
const title = document.title;
const rows = new Map();
// The newest state of the class; the server's time, and this browser's when it came.
let latest = null;
let arrived = 0;
let heard = performance.now();
let refused = "";
let shownJobs = "[]";

const find = (id) => document.getElementById(id);

function setText(element, text) {
  // Elements that do not change keep what screen readers and selections hold on to.
  if (element.textContent !== text) element.textContent = text;
}

function serverTime() {
  return latest.now + (performance.now() - arrived);
}

function ago(moment) {
  if (moment === null) return "none yet";
  const seconds = Math.max(0, (serverTime() - moment) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

function clock(moment) {
  return new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function size(bytes) {
  if (bytes === null) return "–";
  const [unit, factor] = UNITS.find(([, one]) => bytes >= one) ?? UNITS.at(-1);
  const value = bytes / factor;
  return `${value < 10 && factor > 1 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

function stateOf(seat, job) {
  if (job?.state === "running") return ["busy", PRESENT[job.action]];
  if (job?.state === "waiting") return ["busy", `waiting to be ${PAST[job.action]}`];
  if (GOOD.has(seat.health)) return ["good", seat.health];
  return [BUSY.has(seat.health) ? "busy" : "bad", seat.health];
}

function newRow(name) {
  const row = find("row").content.firstElementChild.cloneNode(true);
  row.dataset.seat = name;
  row.querySelector(".restart").addEventListener("click", () => act(name, "restart"));
  row.querySelector(".reset").addEventListener("click", () => ask(name));
  rows.set(name, row);
  return row;
}

function showSeat(seat, place) {
  const row = rows.get(seat.seat) ?? newRow(seat.seat);
  const job = latest.jobs.find((one) => one.seat === seat.seat && OPEN.has(one.state));
  const [kind, state] = stateOf(seat, job);
  const link = row.querySelector(".seat");
  setText(link, seat.seat);
  if (/^https?:\/\//.test(seat.url)) link.href = seat.url;
  setText(row.querySelector(".names"), seat.names === seat.seat ? "" : seat.names);
  row.className = kind;
  setText(row.querySelector(".state"), state);
  setText(row.querySelector(".runs"), seat.runs === null ? "–" : String(seat.runs));
  setText(row.querySelector(".activity"), ago(seat.last_activity));
  setText(row.querySelector(".storage"), size(seat.storage));
  for (const button of row.querySelectorAll("button")) {
    button.disabled = job !== undefined;
    button.setAttribute("aria-label", `${button.textContent} ${seat.seat}`);
  }
  const list = find("seats");
  if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null);
  return kind;
}

function showSummary(kinds) {
  const good = kinds.filter((kind) => kind === "good").length;
  const bad = latest.seats.filter((_, place) => kinds[place] === "bad").map((seat) => seat.seat);
  const named = bad.length && bad.length <= 5 ? `; look at ${bad.join(", ")}` : "";
  const summary = `${good} of ${kinds.length} healthy`;
  setText(find("summary"), kinds.length ? summary + named : "This class has no seats yet");
  document.title = `${summary} – ${title}`;
}

function jobText(job) {
  switch (job.state) {
    case "waiting": return `${job.seat} waits to be ${PAST[job.action]}`;
    case "running": return `${job.seat} is being ${PAST[job.action]} …`;
    case "done": return `${job.seat} was ${PAST[job.action]}`;
    default: return `${job.seat} was not ${PAST[job.action]}: ${job.text}`;
  }
}

function showJobs() {
  const text = JSON.stringify(latest.jobs);
  // The same list again would be read aloud again.
  if (text === shownJobs) return;
  shownJobs = text;
  const items = latest.jobs.map((job) => {
    const item = document.createElement("li");
    item.className = job.state;
    item.textContent = `${clock(job.at)}  ${jobText(job)}`;
    return item;
  });
  find("jobs").replaceChildren(...items.reverse());
  find("log").hidden = items.length === 0;
}

function capitalized(sentence) {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

function showTrouble() {
  const lost = performance.now() - heard > SILENCE;
  const isOld = latest?.looked_at && serverTime() - latest.looked_at > SILENCE;
  const seen = isOld ? ` Shown is the state of ${clock(latest.looked_at)}.` : "";
  let text = refused;
  if (lost) text = `The connection to the server is lost.${seen}`;
  else if (latest?.trouble) text = `${capitalized(latest.trouble)}.${seen}`;
  setText(find("trouble"), text);
  find("trouble").hidden = text === "";
}

function show() {
  showTrouble();
  if (!latest?.seats) return;
  const kinds = latest.seats.map(showSeat);
  const names = new Set(latest.seats.map((seat) => seat.seat));
  for (const [name, row] of rows) {
    if (names.has(name)) continue;
    row.remove();
    rows.delete(name);
  }
  showSummary(kinds);
}

async function act(seat, action, confirmed = "") {
  refused = "";
  try {
    const headers = { "X-Page-Token": token, "X-Confirm": confirmed };
    const path = `/seats/${encodeURIComponent(seat)}/${action}`;
    const answer = await fetch(path, { method: "POST", headers });
    if (answer.status === 401) location.reload();
    else if (!answer.ok) refused = await answer.text();
  } catch {
    refused = `The server cannot be reached, so ${seat} was not ${PAST[action]}.`;
  }
  showTrouble();
}

function ask(seat) {
  setText(find("question"), `Reset ${seat}? All its runs, models and artifacts are deleted.`);
  find("typed").value = "";
  find("reset").disabled = true;
  find("confirm").returnValue = "";
  find("confirm").dataset.seat = seat;
  find("confirm").showModal();
}

find("typed").addEventListener("input", () => {
  find("reset").disabled = find("typed").value !== find("confirm").dataset.seat;
});
find("cancel").addEventListener("click", () => find("confirm").close());
find("confirm").addEventListener("close", () => {
  const { seat } = find("confirm").dataset;
  if (find("confirm").returnValue === "reset") act(seat, "reset", find("typed").value);
});

function chooseView() {
  const wall = location.hash === "#wall";
  document.body.classList.toggle("wall", wall);
  find("view").href = wall ? "#table" : "#wall";
  setText(find("view"), wall ? "Table" : "Large view");
}
addEventListener("hashchange", chooseView);
chooseView();

function connect() {
  const events = new EventSource("/events");
  events.addEventListener("message", (event) => {
    heard = arrived = performance.now();
    latest = JSON.parse(event.data);
    show();
    showJobs();
  });
  events.addEventListener("alive", () => { heard = performance.now(); });
  events.addEventListener("error", () => {
    heard = -Infinity;
    showTrouble();
    // A browser gives up after an answer that is an error, such as that of an ended session.
    if (events.readyState === EventSource.CLOSED) setTimeout(reconnect, 2000);
  });
}

async function reconnect() {
  try {
    const answer = await fetch("/", { redirect: "manual" });
    // It leads to the login.
    if (answer.type === "opaqueredirect") return location.reload();
  } catch {
    // The server is away; the next attempt may find it.
  }
  connect();
}

connect();
// Times grow without any news, and so does silence.
setInterval(show, 5000);
