# Everything from a fresh clone: `make demo` and `make test` set up .venv first, and reuse it.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PHOTOS := $(addprefix examples/photos/,astronaut.jpg neuschwanstein.jpg red-panda.jpg)
LOG := demo/measured.txt

.PHONY: test demo lint pictures clean

test: $(INSTALLED) lint
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

# The product's own commands in a row: train, export, run, and the slow reference.
demo: $(INSTALLED)
	rm -rf demo && mkdir demo
	$(BIN)/python -m train fit --config configs/train/demo.yaml --run_dir demo/run | tee $(LOG)
	$(BIN)/python -m export demo/run/final.ckpt -o demo/trained.onnx | tee -a $(LOG)
	$(BIN)/nst stylise $(PHOTOS) --model demo/trained.onnx -o demo/trained/ | tee -a $(LOG)
	$(BIN)/nst stylise $(PHOTOS) -o demo/shipped/ | tee -a $(LOG)
	$(BIN)/nst optimise examples/photos/neuschwanstein.jpg nst/styles/starry-night.jpg \
		--size 320 --style-size 256 --iterations 40 -o demo/optimised.png | tee -a $(LOG)
	$(BIN)/nst sheet $(PHOTOS) demo/trained/*.jpg demo/shipped/*.jpg \
		nst/styles/starry-night.jpg demo/optimised.png --columns 3 -o demo/sheet.jpg
	@echo; cat $(LOG); echo
	@echo "Look at demo/sheet.jpg: photos; the network trained just now; the shipped one;"
	@echo "the painting and the optimiser's picture. What was measured is in $(LOG)."

clean:
	rm -rf .venv demo

# The pictures of the README and the gallery.
GALLERY := astronaut bridge-at-night giraffe kitten living-room mont-saint-michel
pictures: $(INSTALLED)
	mkdir -p docs/pictures
	$(BIN)/nst styles --sheet examples/photos/neuschwanstein.jpg --cell 280 -o docs/pictures/styles.jpg
	for photo in $(GALLERY); do $(BIN)/nst styles --sheet examples/photos/$$photo.jpg --cell 240 \
		-o docs/pictures/gallery-$$photo.jpg; done
