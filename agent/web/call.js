// One connection with the agent: microphone, loudspeaker, and the channel for events.

import { Fault } from "./faults.js";

const GATHERING_MS = 2000; // candidates that come later are not waited for
const LOST_MS = 5000; // a connection that is away for so long is not expected back
const REPORT_MS = 500; // how often the server is told how late its sound is heard
const ALIVE_MS = 1000; // how often it is told that the page is there, until the connection stands

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function microphone() {
  if (!window.isSecureContext) throw new Fault("insecure");
  if (!navigator.mediaDevices?.getUserMedia || !window.RTCPeerConnection) throw new Fault("unsupported");

  return navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
  });
}

export class Call {
  // page: the server's settings for pages; on: { message, voice, ended } are called back.
  constructor(page, token, on) {
    this.page = page;
    this.token = token;
    this.on = on;
    this.isOver = false;
    this.place = null; // where the server keeps this call
  }

  async start(stream) {
    this.stream = stream;
    this.peer = new RTCPeerConnection({ iceServers: this.page.stun.map((urls) => ({ urls })) });
    const connected = this.#connected();
    connected.catch(() => {}); // an earlier fault is told instead
    this.#open();

    for (const track of stream.getAudioTracks()) this.peer.addTrack(track, stream);

    this.peer.addEventListener("track", (event) => {
      this.on.voice(event.streams[0] ?? new MediaStream([event.track]));
    });

    await this.peer.setLocalDescription(await this.peer.createOffer());
    await Promise.race([this.#gathered(), wait(GATHERING_MS)]);
    const answer = await this.#offer(this.peer.localDescription.sdp);
    if (this.isOver) return;

    this.alive = setInterval(() => this.#tell("alive"), ALIVE_MS);
    await this.peer.setRemoteDescription({ type: "answer", sdp: answer });
    this.startClock();
    await connected;
    clearInterval(this.alive);
    this.reports = setInterval(() => this.#report(), REPORT_MS);
  }

  send(message) {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(message));
  }

  // Ends the call; `fault` is what ended it, or nothing when the person did.
  end(fault = null) {
    if (this.isOver) return;

    this.isOver = true;
    clearInterval(this.alive);
    clearInterval(this.reports);
    clearTimeout(this.limit);
    clearTimeout(this.lost);
    this.#hangUp();
    this.peer?.close();
    this.stream?.getTracks().forEach((track) => track.stop());
    this.on.ended(fault);
  }

  #headers(more = {}) {
    return this.token ? { ...more, Authorization: `Bearer ${this.token}` } : more;
  }

  async #offer(sdp) {
    let response;
    try {
      response = await fetch("/v1/realtime/calls", {
        method: "POST",
        headers: this.#headers({ "Content-Type": "application/sdp", "Atonce-Page": "1" }),
        body: sdp,
      });
    } catch {
      throw new Fault("unreachable");
    }

    if (response.ok) {
      this.place = response.headers.get("Location");
      const answer = await response.text();
      if (this.isOver) this.#hangUp(); // the person was faster than the server
      return answer;
    }

    const told = await response.json().catch(() => ({}));
    const code = told.error?.code;
    const kinds = { busy: "busy", unauthorized: "token", loading: "loading" };
    throw new Fault(kinds[code] ?? "server", told.error?.message);
  }

  #hangUp() {
    this.#tell("hangup");
    this.place = null;
  }

  // A tab that is closed has no time to wait for an answer: `keepalive` sends it all the same.
  #tell(what) {
    if (!this.place) return;

    fetch(`${this.place}/${what}`, { method: "POST", headers: this.#headers(), keepalive: true }).catch(() => {});
  }

  #gathered() {
    return new Promise((resolve) => {
      const look = () => this.peer.iceGatheringState === "complete" && resolve();
      this.peer.addEventListener("icegatheringstatechange", look);
      look();
    });
  }

  #connected() {
    return new Promise((resolve, reject) => {
      this.startClock = () => {
        this.limit = setTimeout(() => reject(this.#blocked()), 1000 * this.page.ice_timeout_s);
      };

      this.peer.addEventListener("connectionstatechange", () => {
        clearTimeout(this.lost);
        const state = this.peer.connectionState;

        if (state === "connected") {
          clearTimeout(this.limit);
          this.wasConnected = true;
          resolve();
        } else if (state === "failed") {
          reject(this.#blocked());
          if (this.wasConnected) this.end(new Fault("lost"));
        } else if (state === "disconnected") {
          this.lost = setTimeout(() => this.end(new Fault("lost")), LOST_MS);
        }
      });
    });
  }

  #blocked() {
    return new Fault("ice", this.page.ice_timeout_s);
  }

  #open() {
    this.channel = this.peer.createDataChannel("oai-events");
    this.channel.addEventListener("message", (event) => this.on.message(JSON.parse(event.data)));
    // The server closes it when the talk is over; without a word before, the server is gone.
    this.channel.addEventListener("close", () => this.wasConnected && this.end(this.farewell ? null : new Fault("lost")));
  }

  // How long sound takes from the server to the ear: half the round trip, the jitter buffer's mean
  // of the last half second, and what lies before the loudspeaker.
  async #report() {
    let trip = 0;
    let buffered = 0;
    let ahead = 0;

    for (const report of (await this.peer.getStats()).values()) {
      if (report.type === "candidate-pair" && report.nominated) trip = report.currentRoundTripTime ?? 0;

      if (report.type === "inbound-rtp" && report.kind === "audio") {
        buffered = this.#mean("buffer", report.jitterBufferDelay, report.jitterBufferEmittedCount);
      }

      if (report.type === "media-playout") {
        ahead = this.#mean("playout", report.totalPlayoutDelay, report.totalSamplesCount);
      }
    }

    if (buffered === null || ahead === null) return;

    this.send({ type: "atonce.playout", delay_ms: Math.round(1000 * (trip / 2 + buffered + ahead)) });
  }

  // The mean of what was added since last time; null where nothing was.
  #mean(name, sum = 0, count = 0) {
    const before = this[name] ?? { sum: 0, count: 0 };
    this[name] = { sum, count };
    return count > before.count ? (sum - before.sum) / (count - before.count) : null;
  }
}
