"use strict";
// The test call: what is typed goes as requests, what is heard comes as events with PCM, and is played through Web Audio.
(() => {
  const phone = document.getElementById("phone");
  if (!phone) return;
  const { notice, post } = globalThis.operatorsConsole;
  const base = document.body.dataset.base;
  const byId = (id) => document.getElementById(id);
  const turns = byId("turns");
  const lead = 0.12; // seconds by which sound is played later than it comes, so that the network's jitter is not heard
  let call = null;

  function state(name, text) {
    phone.dataset.state = name;
    byId("line-state").textContent = text;
    const talking = name === "talking";
    for (const each of phone.querySelectorAll("[data-key], #hang-up, #text, #send")) each.disabled = !talking;
    for (const each of phone.querySelectorAll("#tenant, #language, #place")) each.disabled = name !== "idle";
  }

  function line(who, text, kind) {
    const item = document.createElement("li");
    const speaker = document.createElement("span");
    const words = document.createElement("span");
    const figure = document.createElement("span");
    speaker.className = "speaker";
    speaker.textContent = who;
    words.textContent = text;
    figure.className = "note num";
    item.className = kind;
    item.append(speaker, words, figure);
    turns.append(item);
    turns.scrollTop = turns.scrollHeight;
    return { words, figure };
  }

  class Call {
    constructor(id, context) {
      this.id = id;
      this.context = context;
      this.analyser = context.createAnalyser();
      this.analyser.fftSize = 1024;
      this.analyser.connect(context.destination);
      this.playing = new Map();
      this.lines = new Map();
      this.ends = 0;
      this.asked = performance.now(); // when the caller did the last thing; null once an answer to it is heard
      this.answer = null; // the key of the sentence that may be the answer: one that began after it
      this.over = false;
      this.source = new EventSource(`${base}/test-call/${encodeURIComponent(id)}/line`);
      for (const name of ["speech", "sound", "cut"]) {
        this.source.addEventListener(name, (event) => this[name](JSON.parse(event.data)));
      }
      this.source.addEventListener("over", (event) => this.finish(JSON.parse(event.data).reason));
      this.source.addEventListener("error", () => {
        if (this.source.readyState === EventSource.CLOSED) this.finish("the line broke");
      });
      this.meter();
    }

    speech({ key, text, rate }) {
      this.current = key;
      this.rate = rate;
      this.playing.set(key, new Set());
      this.lines.set(key, line("Desk", text, "desk"));
      if (this.asked !== null && this.answer === null) this.answer = key;
      if (!rate) this.answered();
    }

    answered() {
      if (this.asked === null || this.answer !== this.current) return;
      this.lines.get(this.current).figure.textContent = `${Math.round(performance.now() - this.asked)} ms`;
      this.asked = null;
    }

    sound({ pcm }) {
      this.answered();
      const bytes = Uint8Array.from(atob(pcm), (letter) => letter.charCodeAt(0));
      const samples = new Int16Array(bytes.buffer);
      const buffer = this.context.createBuffer(1, samples.length, this.rate);
      const channel = buffer.getChannelData(0);
      for (let index = 0; index < samples.length; index += 1) channel[index] = samples[index] / 32768;
      const source = this.context.createBufferSource();
      source.buffer = buffer;
      source.connect(this.analyser);
      const playing = this.playing.get(this.current);
      playing.add(source);
      source.addEventListener("ended", () => playing.delete(source));
      const at = this.ends > this.context.currentTime ? this.ends : this.context.currentTime + lead;
      source.start(at);
      this.ends = at + buffer.duration;
    }

    cut({ key }) {
      for (const source of this.playing.get(key) ?? []) source.stop();
      // What was on its way when the caller spoke, and is cut off by that, is no answer.
      if (this.answer === key && this.asked !== null) this.answer = null;
      const cut = this.lines.get(key);
      if (cut) {
        cut.words.classList.add("cut");
        cut.figure.textContent = `${cut.figure.textContent} cut off`.trim();
      }
      this.ends = 0;
    }

    finish(reason) {
      if (this.over) return;
      this.over = true;
      this.source.close();
      line("", reason ? `The call is over: ${reason}.` : "The call is over.", "note");
      // What was sent is heard to its end.
      setTimeout(() => this.context.close(), Math.max(0, this.ends - this.context.currentTime) * 1000 + 200);
      call = null;
      state("idle", "not connected");
      byId("place").focus();
    }

    meter() {
      const samples = new Float32Array(this.analyser.fftSize);
      const level = byId("level");
      const step = () => {
        this.analyser.getFloatTimeDomainData(samples);
        let sum = 0;
        for (const sample of samples) sum += sample * sample;
        const value = Math.min(1, Math.sqrt(sum / samples.length) * 4);
        if (Math.abs(level.value - value) > 0.01) level.value = value;
        if (this.over && this.context.state === "closed") level.value = 0;
        else requestAnimationFrame(step);
      };
      step();
    }

    async send(what, fields) {
      try {
        if (what !== "hang-up") {
          this.asked = performance.now();
          this.answer = null;
        }
        await post(`${base}/test-call/${encodeURIComponent(this.id)}/${what}`, fields);
      } catch (error) {
        notice(error.message, true);
      }
    }
  }

  byId("dial").addEventListener("submit", async (event) => {
    event.preventDefault();
    turns.replaceChildren();
    state("calling", "calling");
    // Made in the click: a browser lets no page sound by itself.
    const context = new AudioContext();
    try {
      const answer = await post(`${base}/test-call`, { tenant: byId("tenant").value, language: byId("language").value });
      call = new Call(answer.id, context);
      const page = byId("transcript");
      page.href = `${base}/calls/${encodeURIComponent(answer.id)}`;
      page.hidden = false;
      state("talking", answer.voiced ? "connected" : "connected, without a voice");
      byId("text").focus();
    } catch (error) {
      context.close();
      notice(error.message, true);
      state("idle", "not connected");
    }
  });

  byId("say").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("text").value.trim();
    if (!call || !text) return;
    byId("text").value = "";
    line("Caller", text, "caller");
    call.send("say", { text });
  });

  for (const key of phone.querySelectorAll("[data-key]")) {
    key.addEventListener("click", () => {
      if (!call) return;
      line("Keys", key.dataset.key, "caller");
      call.send("press", { keys: key.dataset.key });
    });
  }

  byId("hang-up").addEventListener("click", () => call?.send("hang-up", {}));
  addEventListener("pagehide", () => call?.source.close());

  byId("tenant").addEventListener("change", () => {
    const languages = byId("tenant").selectedOptions[0].dataset.languages.split(" ");
    byId("language").replaceChildren(...languages.map((name) => new Option(name)));
  });
  state("idle", "not connected");
})();
