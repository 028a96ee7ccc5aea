// The page: what is chosen, what is shown, and what is said.
import { Camera } from './camera.js';
import { Engine } from './engine.js';
import { fitted } from './pixels.js';
import { pixelsOf, read } from './reading.js';

const $ = (id) => document.getElementById(id);
const engine = new Engine();
const camera = new Camera($('video'));
const scratch = document.createElement('canvas');
let models = [];
let source = null; // ImageBitmap of the chosen picture
let sourceName = 'picture';
let version = 0; // of the chosen picture
let wanted = false; // something changed while a picture was being painted
let painting = false;
let frames = []; // when the camera's last pictures were shown

function say(text, bad = false) {
  $('message').textContent = text;
  $('message').classList.toggle('bad', bad);
}

const model = () => models[Number(document.querySelector('input[name="style"]:checked')?.value ?? 0)];

function options() {
  return { strength: Number($('strength').value) / 100, keepColour: $('keep').checked };
}

function show(rgba, pixels, width, height) {
  for (const [id, data] of [['original', rgba], ['result', pixels]]) {
    const canvas = $(id);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const image = new ImageData(new Uint8ClampedArray(data), width, height, { colorSpace: 'srgb' });
    canvas.getContext('2d', { colorSpace: 'srgb' }).putImageData(image, 0, 0);
  }
  delete $('frame').dataset.empty;
  $('split').disabled = $('save').disabled = false;
  $('pixels').textContent = `${width} × ${height}`;
}

function tell({ milliseconds, backend }) {
  $('backend').textContent = backend;
  if (milliseconds !== null) $('milliseconds').textContent = `${milliseconds.toFixed(0)} ms`;
}

/** Paint one picture or frame, at most `side` pixels long, and show it. */
async function paintOne(image, naturalWidth, naturalHeight, side, key) {
  const [width, height] = fitted(naturalWidth, naturalHeight, side);
  const chosen = model();
  const strokes = camera.running ? 1 : Number($('strokes').value);
  const long = Math.max(1, Math.round(Math.max(width, height) / strokes));
  const [across, down] = fitted(width, height, long);
  if (Math.min(across, down) < chosen.min_size) {
    throw new Error(
      `The picture comes to ${across} × ${down} pixels, and this style needs ` +
        `${chosen.min_size} on each side: choose a larger one${strokes > 1 ? ', or finer strokes' : ''}.`,
    );
  }
  const photo = { rgba: pixelsOf(image, width, height, scratch), width, height };
  const small =
    strokes === 1
      ? photo
      : { rgba: pixelsOf(image, across, down, scratch), width: across, height: down };
  // In moving pictures the grain would stand still.
  const grain = $('grain').checked && !camera.running ? chosen.grain : 0;
  const task = { file: chosen.file, photo, small, grain, ...options() };
  const whole = `${key}/${chosen.file}/${width}x${height}/${across}x${down}/${grain}`;
  const done = await engine.paint({ ...task, key: whole });
  show(photo.rgba, done.pixels, width, height);
  tell(done);
}

/** Paint the chosen picture; what changes meanwhile is painted right after. */
async function refresh() {
  wanted = true;
  if (painting || !source || camera.running) return;
  painting = true;
  $('busy').hidden = false;
  while (wanted) {
    wanted = false;
    try {
      await paintOne(source, source.width, source.height, Number($('size').value), version);
      say('');
    } catch (error) {
      say(error.message, true);
    }
  }
  $('busy').hidden = true;
  painting = false;
}

async function open(file) {
  if (!file) return;
  try {
    const bitmap = await read(file);
    stopCamera();
    source?.close();
    source = bitmap;
    sourceName = (file.name || 'picture').replace(/\.[^.]*$/, '');
    version += 1;
    await refresh();
  } catch (error) {
    say(error.message, true);
  }
}

async function toggleCamera() {
  if (camera.running) return stopCamera();
  frames = [];
  try {
    $('camera').setAttribute('aria-pressed', 'true');
    await camera.start(async (video, side) => {
      try {
        const key = `frame ${(version += 1)}`;
        await paintOne(video, video.videoWidth, video.videoHeight, side, key);
      } catch (error) {
        say(error.message, true);
        throw error;
      }
      frames = [...frames.slice(-20), performance.now()];
      const seconds = (frames.at(-1) - frames[0]) / 1000;
      if (seconds > 0) $('rate').textContent = ((frames.length - 1) / seconds).toFixed(1);
    });
    say('');
  } catch (error) {
    $('camera').setAttribute('aria-pressed', 'false');
    say(error.message, true);
  }
}

function stopCamera() {
  camera.stop();
  $('camera').setAttribute('aria-pressed', 'false');
  $('rate').textContent = '–';
}

function save() {
  $('result').toBlob((blob) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = `${camera.running ? 'camera' : sourceName}-${model().name}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, 'image/png');
}

function chooseStyle() {
  const { licence, grain } = model();
  $('grain').disabled = !grain;
  $('licence').textContent = licence ? `Style picture: ${licence}` : '';
  refresh();
}

function listStyles() {
  $('styles').replaceChildren(
    ...models.map((entry, k) => {
      const label = document.createElement('label');
      label.className = 'style';
      const input = Object.assign(document.createElement('input'), {
        type: 'radio', name: 'style', value: String(k), checked: k === 0, className: 'hidden',
      });
      const image = Object.assign(new Image(), { src: entry.thumbnail, alt: '' });
      const small = document.createElement('small');
      small.textContent = entry.note;
      label.append(input, image, entry.name.replaceAll('-', ' '), small);
      return label;
    }),
  );
}

function listen() {
  for (const id of ['pick', 'photograph']) {
    $(id).addEventListener('change', (event) => {
      open(event.target.files[0]);
      event.target.value = '';
    });
  }
  $('styles').addEventListener('change', chooseStyle);
  $('strength').addEventListener('input', () => {
    $('strength-value').textContent = `${$('strength').value} %`;
    refresh();
  });
  for (const id of ['keep', 'grain', 'size', 'strokes']) $(id).addEventListener('change', refresh);
  $('camera').addEventListener('click', toggleCamera);
  $('save').addEventListener('click', save);
  $('split').addEventListener('input', () => {
    $('original').style.clipPath = `inset(0 ${100 - Number($('split').value)}% 0 0)`;
  });
  addEventListener('paste', (event) => open(event.clipboardData?.files[0]));
  const frame = $('frame');
  addEventListener('dragover', (event) => {
    event.preventDefault();
    frame.classList.add('over');
  });
  addEventListener('dragleave', () => frame.classList.remove('over'));
  addEventListener('drop', (event) => {
    event.preventDefault();
    frame.classList.remove('over');
    open(event.dataTransfer?.files[0]);
  });
}

async function begin() {
  listen();
  try {
    const site = await (await fetch('models.json')).json();
    models = site.models;
    listStyles();
    chooseStyle();
    const example = await (await fetch(site.example)).blob();
    if (!source) await open(new File([example], site.example));
  } catch (error) {
    say(`This site is not whole (${error.message}): export it again.`, true);
  }
  // Without it the page works, but not offline.
  navigator.serviceWorker?.register('offline.js').catch(() => {});
}

begin();
