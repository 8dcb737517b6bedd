// The reply as it is written: a canvas of masks that become words, then the voice's place in it.

const SURE = 0.9;
const UNSURE = 0.5;
const SHOW_MS = 600; // all steps of a reply together: they are made faster than eyes can follow
const STEP_MS = 220;
const ASLEEP = 24; // masks on the canvas while nothing is written

export class ReplyCanvas {
  constructor(place, step, note) {
    this.place = place;
    this.step = step;
    this.note = note;
    const told = note.textContent;
    this.clear();
    this.sleep();
    note.textContent = told;
  }

  // Nothing is written yet.
  sleep() {
    const mask = () => Object.assign(document.createElement("span"), { className: "cell open asleep" });
    this.place.replaceChildren(...Array.from({ length: ASLEEP }, mask));
  }

  clear() {
    clearTimeout(this.timer);
    this.timer = null;
    this.waiting = [];
    this.cells = [];
    this.words = [];
    this.place.replaceChildren();
    this.step.textContent = "";
    this.note.textContent = "";
  }

  // One denoising step; shown when the one before was there long enough to be seen.
  draft(message) {
    this.#later(() => this.#draw(message), Math.min(STEP_MS, SHOW_MS / message.steps));
  }

  problem(message) {
    if (!message.problems.length) return;
    const what = message.final ? "given up" : "masked again";
    this.#later(() => (this.note.textContent = `Check: ${message.problems[0]} (${what})`), 0);
  }

  // The reply that will be spoken.
  settle(message) {
    const whose = {
      denoiser: "Written by the diffusion model",
      twin: "Written word by word by the reader's twin: no draft passed the check",
      fact: "The best-matching fact, read out: no draft passed the check",
      courtesy: "The sentence of the settings for small talk",
      unknown: "The honest sentence: neither a draft nor a fact would do",
    };
    this.#later(() => {
      this.#spell(message.text);
      const times = message.repaired === 1 ? "once" : `${message.repaired} times`;
      const repaired = message.repaired ? `, repaired ${times}` : "";
      this.note.textContent = `${whose[message.source] ?? message.source}${repaired}.`;
    }, 0);
  }

  // A sentence of the agent's own: there is nothing to denoise.
  say(text) {
    this.clear();
    this.#spell(text);
    this.note.textContent = "A sentence of the agent's own.";
  }

  spoken(characters) {
    this.#later(() => this.#point(characters), 0);
  }

  end(heard, isCut) {
    this.#later(() => this.#finish(heard, isCut), 0);
  }

  #later(show, ms) {
    this.waiting.push({ show, ms });
    if (this.timer === null) this.#next();
  }

  #next() {
    this.timer = null;

    while (this.waiting.length) {
      const { show, ms } = this.waiting.shift();
      show();
      if (ms) {
        this.timer = setTimeout(() => this.#next(), ms);
        return;
      }
    }
  }

  #draw(message) {
    this.words = [];
    const nodes = message.cells.flatMap((cell, index) => this.#cell(cell, this.cells[index], index));
    this.place.replaceChildren(...nodes);
    this.cells = message.cells;
    const repair = message.repair ? `Repair ${message.repair}, step` : "Step";
    const forced = message.forced ? ", cut short by the deadline" : "";
    this.step.textContent = `${repair} ${message.step} of ${message.steps}${forced}`;
  }

  // A cell's nodes: the blank that its token begins with stands outside, so that no mark is on it.
  #cell(cell, before, index) {
    const span = document.createElement("span");
    const wasWritten = before && !before.is_open && before.text;

    if (cell.is_open) {
      span.className = wasWritten ? "cell again" : "cell open";
      if (wasWritten) span.title = `was “${before.text.trim()}”`;
      return [span];
    }

    const sure = cell.confidence >= SURE ? "sure" : cell.confidence >= UNSURE ? "medium" : "unsure";
    const isFresh = !wasWritten || before.text !== cell.text;
    const blank = index ? cell.text.match(/^\s*/)[0] : "";
    span.className = `cell ${sure}${isFresh ? " fresh" : ""}`;
    span.textContent = cell.text.trimStart();
    return [document.createTextNode(blank), span];
  }

  #spell(text) {
    let end = 0;
    this.words = [];
    const nodes = text.split(/(\s+)/).map((piece) => {
      end += piece.length;
      if (!piece.trim()) return document.createTextNode(piece);
      const span = document.createElement("span");
      span.className = "word waiting";
      span.textContent = piece;
      this.words.push({ span, start: end - piece.length, end });
      return span;
    });
    this.place.replaceChildren(...nodes);
  }

  #point(characters) {
    const now = this.words.findLast(({ start }) => start < characters);

    for (const word of this.words) {
      word.span.classList.toggle("said", word.end <= characters && word !== now);
      word.span.classList.toggle("now", word === now);
      word.span.classList.remove("waiting");
    }
  }

  #finish(heard, isCut) {
    const characters = isCut ? heard.replace(/…$/, "").trimEnd().length : Infinity;

    for (const { span, start } of this.words) {
      span.classList.remove("now", "waiting");
      span.classList.toggle("said", start < characters);
      span.classList.toggle("unheard", start >= characters);
    }

    if (isCut && heard) this.note.textContent = "You interrupted: the rest was not heard, and is not remembered.";
    else if (isCut) this.note.textContent = "You interrupted before a word of it was heard.";
  }
}
