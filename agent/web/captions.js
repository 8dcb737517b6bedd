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
    if (!text && !this.lines.has(key)) return;

    this.empty.hidden = true;
    const line = this.lines.get(key) ?? this.#line(key, who);
    line.className = kind;
    line.textContent = text;
    this.list.scrollTop = this.list.scrollHeight;
  }

  remove(key) {
    this.lines.get(key)?.parentElement.remove();
    this.lines.delete(key);
  }

  text(key) {
    return this.lines.get(key)?.textContent ?? "";
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
