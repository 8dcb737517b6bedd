// What the events of a talk look like. It knows no connection: events come in, the page changes.

import { ReplyCanvas } from "./canvas.js";
import { Captions } from "./captions.js";
import { Steps } from "./steps.js";
import { showTurn } from "./turn.js";

const STATES = {
  listening: ["Listening", "Ask something. You may interrupt at any time."],
  hearing: ["Hearing you", "Take your time: a pause is no end."],
  thinking: ["Thinking", "The whole reply is written before the first word is said."],
  speaking: ["Speaking", "Just speak to interrupt."],
  paused: ["Waiting for you", "Go on, or say nothing and it goes on."],
  connecting: ["Connecting", "If the browser asks for the microphone, allow it."],
  loading: ["Loading", "The agent loads its models; that takes some seconds."],
  idle: ["Ready", "Press the button, and ask something."],
};
// What a screen reader says by itself: nothing that would speak over the agent.
const TOLD = new Set(["loading", "connecting", "idle"]);
const find = (id) => document.getElementById(id);

export class View {
  // chooseSteps: called with K, or null, when the person moves the slider.
  constructor(chooseSteps) {
    this.canvas = new ReplyCanvas(find("canvas"), find("step"), find("note"));
    this.captions = new Captions(find("captions"), find("no-captions"));
    this.steps = new Steps(
      find("steps"),
      find("steps-shown"),
      find("automatic"),
      find("automatic-text"),
      find("plan"),
      chooseSteps,
    );
    this.talk = 0; // ids begin anew with each talk
    this.replies = new Map();
    this.plans = new Map();
    this.held = [];
  }

  state(state, text = STATES[state]?.[0] ?? state) {
    document.body.dataset.state = state;
    find("state").textContent = text;
    this.#hint();
    if (TOLD.has(state) && find("told").textContent !== text) find("told").textContent = text;
  }

  // The microphone has been giving nothing for a while, or gives something again.
  silent(isSilent) {
    document.body.dataset.microphone = isSilent ? "silent" : "live";
    this.#hint();
  }

  #hint() {
    const { state, microphone } = document.body.dataset;
    const isMute = microphone === "silent" && state === "listening";
    const text = isMute ? "Your microphone gives no sound at all: is it muted?" : (STATES[state]?.[1] ?? "");
    if (find("hint").textContent !== text) find("hint").textContent = text;
  }

  fault({ cause, remedy }) {
    find("cause").textContent = cause;
    find("remedy").textContent = remedy;
    find("fault").hidden = false;
  }

  noFault() {
    find("fault").hidden = true;
  }

  closed() {
    this.steps.close();
  }

  show(event) {
    const handlers = {
      "session.created": () => this.#open(event.session.atonce),
      "atonce.state": () => this.state(event.state),
      "atonce.words": () => this.#words(event),
      "conversation.item.input_audio_transcription.completed": () =>
        this.captions.show(this.#key(event.item_id), "You", event.transcript),
      "response.created": () => this.#begin(event),
      "atonce.plan": () => this.#plan(event),
      "atonce.draft": () => this.#draft(event),
      "atonce.check": () => this.#written(event, () => this.canvas.problem(event)),
      "atonce.reply": () => this.#written(event, () => this.canvas.settle(event)),
      "atonce.sentence": () => this.#sentence(event),
      "response.output_audio_transcript.done": () => this.replies.set(event.response_id, event.transcript),
      "output_audio_buffer.started": () => this.#sound(event.response_id),
      "atonce.spoken": () => this.canvas.spoken(event.characters),
      "atonce.timeline": () => showTurn(find("turn"), find("turn-total"), find("no-turn"), event.bars),
      "response.done": () => this.#done(event.response),
      error: () => this.fault({ cause: "The agent reports a fault.", remedy: event.error.message }),
    };
    handlers[event.type]?.();
  }

  #open(ours) {
    this.talk += 1;
    this.replies.clear();
    this.plans.clear();
    this.plan = null;
    this.current = this.isSounding = this.beside = null;
    this.held = [];
    this.steps.open(ours);
  }

  // What was planned is shown while a reply is written; from its first word on, that of the reply
  // that is heard: others are begun and withdrawn beside it.
  #plan(event) {
    this.plans.set(event.response_id, event);
    if (!this.isSounding) this.steps.planned(event);
  }

  #heard(id) {
    if (!this.plans.has(id)) return; // a sentence of the agent's own
    this.plan = this.plans.get(id);
    this.plans.clear();
    this.steps.planned(this.plan);
  }

  #key(id) {
    return `${this.talk}/${id}`;
  }

  #words({ item_id, text }) {
    this.captions.show(this.#key(item_id), "You", text, "open");
  }

  #begin({ response }) {
    if (response.id.startsWith("resp_sentence")) return;

    this.current = response.id;
    this.held = [];
    if (!this.isSounding) this.canvas.clear();
  }

  // The canvas shows one reply: while the voice runs through one, the next one waits out of sight.
  #written({ response_id }, show) {
    if (response_id !== this.current) return;
    if (this.isSounding && this.isSounding !== response_id) this.held.push(show);
    else show();
  }

  #draft(event) {
    if (!event.repair && event.response_id === this.current) this.steps.used(event.steps);
    this.#written(event, () => this.canvas.draft(event));
  }

  // A sentence of the agent's own. "One moment, please" leaves the canvas to the reply to come.
  #sentence({ response_id, kind, text }) {
    if (kind !== "one_moment") this.canvas.say(text);
    else this.beside = response_id;
  }

  #sound(id) {
    this.captions.show(this.#key(id), "Agent", this.replies.get(id) ?? "");
    if (id !== this.beside) this.isSounding = id;
    this.#heard(id);
  }

  #done({ id, status, output }) {
    if (id !== this.isSounding) {
      // Withdrawn before it was heard.
      if (this.plans.delete(id) && this.plan && !this.isSounding) this.steps.planned(this.plan);
      return;
    }

    const heard = output[0]?.content[0]?.transcript ?? "";
    const isCut = status !== "completed";
    this.isSounding = null;
    this.canvas.end(heard, isCut);
    const more = isCut && heard && !heard.endsWith("…") ? " …" : "";
    this.captions.show(this.#key(id), "Agent", heard + more, isCut ? "cut" : "");

    if (this.held.length) {
      this.canvas.clear();
      this.held.splice(0).forEach((show) => show());
    }
  }
}
