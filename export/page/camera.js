// The live camera: a frame at a time, at a size that holds the rate.

const WANTED = 15; // pictures a second, at least
const SIDES = [128, 160, 192, 224, 256, 320, 384, 448, 512, 640];
const SETTLE = 6; // pictures at a size before it is judged

/** Which of the sizes comes next, by the milliseconds of the last pictures at this one. */
export function nextSide(side, milliseconds) {
  const sorted = [...milliseconds].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  const at = SIDES.indexOf(side);
  const budget = 1000 / WANTED;
  if (median > budget && at > 0) return SIDES[at - 1];
  // Time grows with the pixels: one size up must still fit, with room to spare.
  const larger = SIDES[at + 1];
  if (larger && median * (larger / side) ** 2 < 0.8 * budget) return larger;
  return side;
}

export class Camera {
  side = 256;
  #stream = null;

  constructor(video) {
    this.video = video;
  }

  get running() {
    return this.#stream !== null;
  }

  /** Start, and call `paint(video, side)` for one frame after the other, until `stop`. */
  async start(paint) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error('This browser gives no camera here: open the page by https or on localhost.');
    }
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: 'user', width: { ideal: 1280 } },
      });
    } catch (error) {
      throw new Error(
        error.name === 'NotAllowedError'
          ? 'The camera was not allowed. Allow it in the browser, and press the button again.'
          : `There is no camera to be had (${error.message}).`,
      );
    }
    this.video.srcObject = this.#stream;
    await this.video.play();
    this.#loop(paint);
  }

  async #loop(paint) {
    let times = [];
    while (this.running) {
      const began = performance.now();
      try {
        await paint(this.video, this.side);
      } catch {
        break; // said by whoever painted
      }
      times.push(performance.now() - began);
      if (times.length === SETTLE) {
        // The first at a new size sets things up.
        this.side = nextSide(this.side, times.slice(1));
        times = [];
      }
      await new Promise(requestAnimationFrame);
    }
    this.stop();
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.video.srcObject = null;
  }
}
