// How loud the microphone is, as the width of a bar.

const QUIETEST_DB = -60;

export class Level {
  constructor(bar) {
    this.bar = bar;
  }

  follow(stream) {
    this.context = new AudioContext();
    const analyser = this.context.createAnalyser();
    analyser.fftSize = 1024;
    this.context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);

    const draw = () => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      const loud = 1 - (10 * Math.log10(power + 1e-12)) / QUIETEST_DB;
      this.bar.style.setProperty("--loud", Math.min(1, Math.max(0, loud)).toFixed(2));
      this.frame = requestAnimationFrame(draw);
    };
    draw();
  }

  rest() {
    cancelAnimationFrame(this.frame);
    this.context?.close();
    this.context = null;
    this.bar.style.setProperty("--loud", 0);
  }
}
