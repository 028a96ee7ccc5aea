// The page's side of the worker: a promise for each picture.

export class Engine {
  #worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
  #waiting = new Map();
  #next = 0;

  constructor() {
    this.#worker.onmessage = ({ data: { id, error, ...result } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new Error(error));
      else resolve(result);
    };
    this.#worker.onerror = (event) => {
      for (const { reject } of this.#waiting.values()) {
        reject(new Error(event.message || 'the painting worker could not start'));
      }
      this.#waiting.clear();
    };
  }

  /**
   * {file, photo, small, key, strength, keepColour, grain} to {pixels, milliseconds, backend}.
   *
   * `photo` is {rgba, width, height}, and `small` too: what the network gets, the same or smaller.
   */
  paint(task) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...task });
    });
  }
}
