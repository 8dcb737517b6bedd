// What both sides said, in the order in which it began.

const KEPT = 60;

export class Captions {
  constructor(list, empty) {
    this.list = list;
    this.empty = empty;
    this.lines = new Map();
  }

  // key: one utterance or reply; its line is written anew each time.
  show(key, who, text, kind = "") {
    if (!text) return this.remove(key); // a noise, after all

    this.empty.hidden = true;
    this.list.parentElement.hidden = false;
    const line = this.lines.get(key) ?? this.#line(key, who);
    line.className = kind;
    line.textContent = text;
    const frame = this.list.parentElement;
    frame.scrollTop = frame.scrollHeight;
  }

  remove(key) {
    this.lines.get(key)?.parentElement.remove();
    this.lines.delete(key);
  }

  #line(key, who) {
    const item = document.createElement("li");
    const name = document.createElement("span");
    const line = document.createElement("span");
    item.className = who === "You" ? "person" : "agent";
    name.className = "who";
    name.textContent = who;
    item.append(name, line);
    this.list.append(item);
    this.lines.set(key, line);

    if (this.lines.size > KEPT) this.remove(this.lines.keys().next().value);
    return line;
  }
}
