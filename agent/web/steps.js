// K of this talk: chosen by the watchdog, or by the person within the operator's range.

export class Steps {
  constructor(slider, shown, automatic, text, plan, send) {
    Object.assign(this, { slider, shown, automatic, text, plan });
    slider.addEventListener("input", () => {
      automatic.checked = false;
      shown.textContent = slider.value;
    });
    slider.addEventListener("change", () => send(Number(slider.value)));
    automatic.addEventListener("change", () => send(automatic.checked ? null : Number(slider.value)));
  }

  open({ steps, min_steps, max_steps, is_watched }) {
    this.slider.min = min_steps;
    this.slider.max = max_steps;
    this.slider.value = steps;
    this.slider.disabled = this.automatic.disabled = false;
    this.automatic.checked = true;
    this.text.textContent = is_watched ? "The watchdog chooses" : `As the operator set it (${steps})`;
    this.shown.textContent = steps;
  }

  close() {
    this.slider.disabled = this.automatic.disabled = true;
  }

  // How the watchdog means to write a reply, and why; without a step, a fact is to be read out.
  planned({ steps, canvas, reason }) {
    const how = steps ? `${steps} ${steps === 1 ? "step" : "steps"} on a canvas of ${canvas}` : "no step";
    this.plan.textContent = `Last reply: ${how}. Why: ${reason}.`;
    if (steps) this.#show(steps);
  }

  // What a reply is really written with.
  used(steps) {
    this.#show(steps);
  }

  #show(steps) {
    if (!this.automatic.checked) return;

    this.slider.value = steps;
    this.shown.textContent = steps;
  }
}
