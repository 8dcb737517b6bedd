// How loud the microphone is, as the width of a bar; and whether it gives anything at all.

const QUIETEST_DB = -60;
const NOTHING_DB = -90; // a live microphone in a quiet room is louder
const NOTHING_MS = 4000;
const EVERY_MS = 80; // each frame of the screen would cost a twentieth of a core without a GPU

export class Level {
  constructor(bar) {
    this.bar = bar;
  }

  // nothing: called with whether the microphone has been giving nothing for a while.
  follow(stream, nothing) {
    let heard = performance.now();
    let isNothing = false;
    this.context = new AudioContext();
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 4096; // all that comes in the meantime
    this.context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);

    const draw = () => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      const db = 10 * Math.log10(power + 1e-12);
      const loud = 1 - db / QUIETEST_DB;
      if (db > NOTHING_DB) heard = performance.now();
      if (isNothing !== performance.now() - heard > NOTHING_MS) nothing((isNothing = !isNothing));
      this.bar.style.setProperty("--loud", Math.min(1, Math.max(0, loud)).toFixed(2));
    };
    this.drawing = setInterval(draw, EVERY_MS);
  }

  rest() {
    clearInterval(this.drawing);
    this.context?.close();
    this.context = null;
    this.bar.style.setProperty("--loud", 0);
  }
}
