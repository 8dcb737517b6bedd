// Where the time of the last turn went: bars from the last word to the first sound.

const NAMES = { transcript: "transcript", endpoint: "silence awaited", "on its way": "on its way" };
const WAITS = new Set(["endpoint", "on its way"]);

export function showTurn(body, total, empty, bars) {
  const from = Math.min(0, ...bars.map((bar) => bar.start_ms));
  const to = Math.max(1, ...bars.map((bar) => bar.end_ms));
  const share = (ms) => ((ms - from) / (to - from)).toFixed(4);
  empty.hidden = true;
  body.closest("table").hidden = false;
  total.textContent = `first sound after ${to} ms`;
  body.replaceChildren(...bars.map((bar) => row(bar, share)));
}

function row(bar, share) {
  const line = document.createElement("tr");
  const name = document.createElement("th");
  const place = document.createElement("td");
  const took = document.createElement("td");
  const drawn = document.createElement("div");
  const told = document.createElement("span");

  name.scope = "row";
  name.textContent = NAMES[bar.name] ?? bar.name;
  drawn.className = `bar${WAITS.has(bar.name) ? " waiting" : ""}${bar.name.includes("step") ? " step" : ""}`;
  drawn.style.setProperty("--from", share(bar.start_ms));
  drawn.style.setProperty("--to", share(bar.end_ms));
  told.className = "unseen";
  told.textContent = `${bar.start_ms} to ${bar.end_ms} ms`;
  took.textContent = `${bar.end_ms - bar.start_ms} ms`;
  place.append(drawn, told);
  line.append(name, place, took);
  return line;
}
