// The page: one button, and everything that follows from it.

import { Call, microphone } from "./call.js";
import { explained, Fault } from "./faults.js";
import { Level } from "./level.js";
import { View } from "./view.js";

const LOOK_AGAIN_MS = 1000;
const FAREWELLS = {
  goodbye: "Goodbye",
  silence: "Ended: nobody spoke",
  ended: "Ended by the server",
  cancelled: "Ended by the server",
  error: "Ended by a fault",
};
const find = (id) => document.getElementById(id);
const button = find("talk");
const voice = find("voice");
const view = new View((steps) => call?.send({ type: "session.update", session: { atonce: { steps } } }));
const level = new Level(find("level"));

let page = { stun: [], ice_timeout_s: 10, needs_token: false };
let call = null;

// The token comes behind # in the address (browsers do not send that part) or is typed; it is kept
// in this tab, and taken out of the address so that it is not copied along with it.
function token() {
  const told = new URLSearchParams(location.hash.slice(1)).get("token");

  if (told) {
    sessionStorage.setItem("token", told);
    history.replaceState(null, "", location.pathname + location.search);
  }

  return sessionStorage.getItem("token") ?? "";
}

function showButton() {
  document.body.dataset.talk = call ? "on" : "off";
  button.textContent = call ? "End the talk" : "Start talking";
  const lacksToken = page.needs_token && !token();
  find("token-form").hidden = !lacksToken;
  button.disabled = lacksToken;
}

function fail(fault) {
  view.fault(explained(fault));

  if (fault.kind === "token") {
    sessionStorage.removeItem("token");
    showButton();
  }
}

function ended(fault) {
  const farewell = call?.farewell;
  call = null;
  level.rest();
  voice.srcObject = null;
  view.closed();
  view.state("idle", farewell);
  showButton();
  if (fault) fail(fault);
}

function receive(event) {
  view.show(event);

  if (event.type === "atonce.talk_ended") {
    if (call) call.farewell = FAREWELLS[event.reason] ?? "Ended";
  }
}

async function start() {
  view.noFault();
  view.silent(false);
  view.state("connecting");
  const mine = new Call(page, token(), {
    message: receive,
    ended,
    voice: (stream) => {
      // The stream sounds only in an element; without one Chromium does not even decode it.
      voice.srcObject = stream;
      voice.play().catch(() => fail(new Fault("sound")));
    },
  });
  call = mine;
  showButton();

  try {
    const stream = await microphone();
    if (mine.isOver) return stream.getTracks().forEach((track) => track.stop());

    level.follow(stream, (isNothing) => view.silent(isNothing));
    await mine.start(stream);
    if (!mine.isOver && document.body.dataset.state === "connecting") view.state("listening");
  } catch (fault) {
    mine.end(fault);
  }
}

button.addEventListener("click", () => (call ? call.end() : start()));
window.addEventListener("pagehide", () => call?.end());
find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", find("token").value.trim());
  find("token").value = "";
  view.noFault();
  showButton();
});

// The button waits until the agent can answer.
async function open() {
  try {
    page = await (await fetch("/page.json")).json();
    const isReady = page.is_ready;
    if (!isReady) {
      view.state("loading");
      setTimeout(open, LOOK_AGAIN_MS);
      return;
    }
  } catch {
    fail(new Fault("unreachable"));
    setTimeout(open, LOOK_AGAIN_MS);
    return;
  }

  view.noFault();
  view.state("idle");
  showButton();
  if (!window.isSecureContext) fail(new Fault("insecure"));
}

open();
