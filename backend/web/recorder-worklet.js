// On the audio thread: what the microphone gives, mixed to one channel, as 16-bit samples.

const PIECE = 0.04; // seconds of sound in a message

class Recorder extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Int16Array(Math.round(sampleRate * PIECE));
    this.filled = 0;
    this.ended = false;
    this.port.onmessage = () => {
      this.ended = true;
      this.send();
      this.port.postMessage(null);
    };
  }

  process([channels], [output]) {
    // A muted track comes without channels; its silence counts as time.
    const length = channels[0]?.length ?? output[0].length;
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      const sample = Math.max(-1, Math.min(1, sum / (channels.length || 1)));
      this.piece[this.filled++] = Math.round(sample * 32767);
      if (this.filled === this.piece.length) this.send();
    }
    return !this.ended;
  }

  send() {
    const sound = this.piece.slice(0, this.filled);
    this.filled = 0;
    if (sound.length) this.port.postMessage(sound.buffer, [sound.buffer]);
  }
}

registerProcessor("recorder", Recorder);
