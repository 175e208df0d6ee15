"use strict";
// Keeps a page up to date. The server sends pieces of HTML; each takes the place of what has its id, and only what differs is touched,
// so that the focus, an open detail and a half-written form stay.
(() => {
  const body = document.body;
  const byId = (id) => document.getElementById(id);

  // --- ages: counted on from the server's clock, since the one here may be wrong
  const offset = Number(body.dataset.now) * 1000 - performance.now();
  const now = () => performance.now() + offset;
  const two = (number) => String(number).padStart(2, "0");
  const span = (s) =>
    s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min` : s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
  const spent = (s) =>
    s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))}:${two(s % 60)}`;

  function tell(time) {
    const passed = (now() - Date.parse(time.dateTime)) / 1000;
    const whole = Math.floor(Math.abs(passed));
    const text = "since" in time.dataset ? spent(Math.max(0, whole)) : passed <= -1 ? `in ${span(whole)}` : `${span(whole)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }

  function tick() {
    for (const time of document.querySelectorAll("time[data-age], time[data-since]")) tell(time);
    const clock = byId("clock");
    if (clock) clock.textContent = `${new Date(now()).toISOString().slice(11, 19)} UTC`;
  }

  // --- changing only what differs
  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh);
    } else if (old.nodeType === Node.TEXT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
    } else if (old.nodeType === Node.ELEMENT_NODE) {
      for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
      for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
      children(old, fresh);
    }
  }

  function children(old, fresh) {
    const named = new Map();
    for (const child of old.children) if (child.id) named.set(child.id, child);
    const wanted = new Set(Array.from(fresh.children, (child) => child.id));
    let place = old.firstChild;
    const drop = () => {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    };
    for (const next of [...fresh.childNodes]) {
      const known = next.id ? named.get(next.id) : place && !place.id && place.nodeName === next.nodeName ? place : null;
      if (!known) {
        old.insertBefore(next, place);
        continue;
      }
      // What is not wanted makes room, so that what stays need not be moved: that would take the focus from it.
      while (place && place !== known && !(place.id && wanted.has(place.id))) drop();
      if (known === place) place = place.nextSibling;
      else old.insertBefore(known, place);
      morph(known, next);
    }
    while (place) drop();
  }

  // --- the stream: what waits is kept by its id, the newest of each, and is drawn in slices that leave the page time to breathe
  const waiting = new Map();
  let drawing = false;

  function parse(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    for (const time of template.content.querySelectorAll("time[data-age], time[data-since]")) tell(time);
    return [...template.content.children];
  }

  function draw() {
    const until = performance.now() + 8;
    for (const [id, change] of waiting) {
      waiting.delete(id);
      change();
      if (performance.now() > until) break;
    }
    drawing = waiting.size > 0;
    if (drawing) requestAnimationFrame(draw);
  }

  function later(id, change) {
    waiting.delete(id);
    waiting.set(id, change);
    if (!drawing) {
      drawing = true;
      requestAnimationFrame(draw);
    }
  }

  function put(fresh) {
    const old = byId(fresh.id);
    if (old) morph(old, fresh);
    if (fresh.id === "tiles") firing();
  }

  // --- alerts are told in the tab's title, and to those who do not see the page
  const title = document.title;
  let fired = null;

  function firing() {
    const count = Number(document.querySelector("#tiles [data-firing]")?.dataset.firing ?? 0);
    document.title = count ? `(${count}) ${title}` : title;
    if (fired !== null && count > fired) byId("said").textContent = count === 1 ? "1 alert fires" : `${count} alerts fire`;
    fired = count;
  }

  function putRow(id, html, rows) {
    const [fresh] = parse(html);
    const old = byId(id);
    if (old) morph(old, fresh);
    else rows.prepend(fresh);
    filterRow(old ?? fresh);
    emptiness();
  }

  function emptiness() {
    const none = !byId("rows").firstElementChild;
    byId("no-calls").hidden = !none;
    byId("call-table").hidden = none;
  }

  function patch(data) {
    const rows = byId("rows");
    if (rows && data.all) {
      // The first message of a line: what waited is outdated, and what is not among these rows is over.
      waiting.clear();
      const fresh = rows.cloneNode(false);
      fresh.append(...parse(data.rows.map(([, html]) => html).join("")));
      children(rows, fresh);
      filterAll();
      emptiness();
    } else if (rows && data.rows) {
      // New ones come newest first, and each goes to the top.
      for (const [id, html] of data.rows.reverse()) later(id, () => putRow(id, html, rows));
    }
    if (data.html) for (const piece of parse(data.html)) later(piece.id, () => put(piece));
    for (const id of data.gone ?? []) {
      later(id, () => {
        byId(id)?.remove();
        emptiness();
      });
    }
    if (data.notice) notice(data.notice, true);
  }

  // --- the line to the server
  const link = byId("link");
  let pause = 1000;

  function show(state, text) {
    if (!link) return;
    link.hidden = false;
    if (link.dataset.state === state) return;
    link.dataset.state = state;
    link.textContent = text;
  }

  async function signedOut() {
    const answer = await fetch(location.href, { redirect: "manual", headers: { accept: "text/html" } }).catch(() => null);
    return answer?.type === "opaqueredirect";
  }

  function connect() {
    const source = new EventSource(body.dataset.stream);
    source.addEventListener("open", () => {
      pause = 1000;
      show("live", "live");
    });
    source.addEventListener("patch", (event) => patch(JSON.parse(event.data)));
    source.addEventListener("over", () => {
      source.close();
      location.reload();
    });
    source.addEventListener("error", async () => {
      show("off", "reconnecting");
      // A refusal ends the source for good; a broken line does not.
      if (source.readyState !== EventSource.CLOSED) return;
      if (await signedOut()) return location.reload();
      setTimeout(connect, pause);
      pause = Math.min(pause * 2, 30000);
    });
    addEventListener("pagehide", () => source.close(), { once: true });
  }

  // --- forms
  let hiding = 0;

  function notice(text, bad) {
    const place = byId("notice");
    place.textContent = text;
    place.classList.toggle("bad", Boolean(bad));
    place.hidden = false;
    clearTimeout(hiding);
    hiding = setTimeout(() => (place.hidden = true), 6000);
  }

  async function post(path, fields) {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json", "x-csrf-token": body.dataset.csrf },
      body: JSON.stringify(fields),
    });
    const text = await response.text();
    const answer = text ? JSON.parse(text) : {};
    if (!response.ok) throw new Error(answer.detail || `The server answered ${response.status}.`);
    return answer;
  }

  addEventListener("submit", async (event) => {
    const form = event.target;
    if (!("post" in form.dataset)) return;
    event.preventDefault();
    const button = event.submitter;
    if (button) button.disabled = true;
    try {
      const answer = await post(form.action, Object.fromEntries(new FormData(form)));
      if (answer.location) location.assign(answer.location);
      else notice(answer.message);
    } catch (error) {
      notice(error.message, true);
    } finally {
      if (button) button.disabled = false;
    }
  });

  // --- the filter of calls
  const filter = byId("filter");

  function filterRow(row) {
    const wanted = filter.value.trim().toLowerCase();
    row.classList.toggle("left-out", wanted !== "" && !row.textContent.toLowerCase().includes(wanted));
  }

  function filterAll() {
    for (const row of byId("rows")?.children ?? []) filterRow(row);
  }

  filter?.addEventListener("input", filterAll);

  globalThis.operatorsConsole = { notice, post };
  tick();
  firing();
  setInterval(tick, 1000);
  if (body.dataset.stream) connect();
})();
