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

  // What the last reply was written with, and why.
  planned({ steps, canvas, reason }) {
    this.plan.textContent = `Last reply: K = ${steps}, canvas ${canvas}. ${reason}`;

    if (this.automatic.checked) {
      this.slider.value = steps;
      this.shown.textContent = steps;
    }
  }
}
