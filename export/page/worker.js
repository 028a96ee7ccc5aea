// Runs the network beside the page, so that nothing freezes. Each message has an id, and is
// answered by one with the same id: {id, ...result} or {id, error}.
import { grained } from './grain.js';
import { finish, toPlanes } from './pixels.js';
import { enlarged } from './strokes.js';

const here = (name) => new URL(name, import.meta.url).href;
let runtime = null; // {ort, backend}
let session = null;
let loaded = '';
let painted = null; // the last picture's planes, for another strength or other colours

async function start() {
  let adapter = null;
  try {
    adapter = (await navigator.gpu?.requestAdapter()) ?? null;
  } catch {
    // A browser may have the interface and no driver.
  }
  // The build for WebGPU is twice as large: only where it can run.
  const name = adapter ? 'ort.webgpu.bundle.min.mjs' : 'ort.wasm.bundle.min.mjs';
  const binary = adapter
    ? 'ort-wasm-simd-threaded.asyncify.wasm'
    : 'ort-wasm-simd-threaded.wasm';
  const ort = await import(here(`ort/${name}`));
  ort.env.logLevel = 'error';
  ort.env.wasm.wasmPaths = { wasm: here(`ort/${binary}`) };
  const cores = navigator.hardwareConcurrency || 1;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(cores, 8) : 1;
  runtime = { ort, backend: adapter ? 'webgpu' : 'wasm' };
}

async function load(file) {
  if (!runtime) await start();
  if (loaded === file) return;
  const response = await fetch(here(file));
  if (!response.ok) throw new Error(`the model ${file} is missing on this site (${response.status})`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const { ort } = runtime;
  await session?.release();
  session = null;
  loaded = '';
  try {
    session = await ort.InferenceSession.create(bytes, { executionProviders: [runtime.backend] });
  } catch (error) {
    if (runtime.backend !== 'webgpu') throw error;
    runtime.backend = 'wasm';
    session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  }
  loaded = file;
  painted = null;
}

function backend() {
  if (runtime.backend === 'webgpu') return 'WebGPU';
  const threads = runtime.ort.env.wasm.numThreads;
  return `wasm, ${threads} thread${threads === 1 ? '' : 's'}`;
}

async function run({ file, photo, small, key, strength, keepColour, grain }) {
  await load(file);
  const began = performance.now();
  let milliseconds = null;
  if (!painted || painted.key !== key) {
    const { rgba, width, height } = small;
    const varied = grain ? grained(rgba, width, height, grain) : rgba;
    const data = toPlanes(varied, width * height);
    const image = new runtime.ort.Tensor('float32', data, [1, 3, height, width]);
    const { stylised } = await session.run({ image });
    const planes = await stylised.getData();
    // A message keeps what was one object one.
    painted = { key, planes: small === photo ? planes : enlarged(planes, small, photo) };
    milliseconds = performance.now() - began;
  }
  const pixels = finish(photo.rgba, painted.planes, { strength, keepColour });
  return { pixels, milliseconds, backend: backend() };
}

async function answer({ id, ...task }) {
  try {
    const result = await run(task);
    self.postMessage({ id, ...result }, [result.pixels.buffer]);
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
}

// One after the other: a session runs one picture at a time.
let queue = Promise.resolve();
self.onmessage = ({ data }) => {
  queue = queue.then(() => answer(data));
};
