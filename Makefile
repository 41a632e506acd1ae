# From a folder of labelled photos to a served classifier. `make help` lists the targets.
#
# Variables (give them behind the target: make train DATASET=flowers GPU=2)
#   DATASET      a name of data/sources, a folder, an archive, an http(s) or gs:// URI     [digits]
#   ROOT         where everything goes: a folder or gs://bucket/prefix
#                                           [data; docker: gs://chrysalis; vertex: gs://$CHRYSALIS_BUCKET]
#   RUN          local, docker or vertex; records alone also dataflow                      [local]
#   MODEL        the architecture: cnn, keras_applications, vgg16 or xception              [vgg16]
#   RUN_ID       the training run's name                                                   [MODEL]
#   GPU          how many GPUs train, or all                       [what the host has; with RUN=vertex, 1]
#   WORKERS      how many hosts train together, with RUN=vertex                            [1]
#   ARGS         further options of the stage; of train, for pipeline and demo
#   SPACE, STUDY the search space of tune, and its study's name           [searches/from_scratch.yaml, study]
#   IMAGE        a photo for predict, and for notebooks
#   JOB          of follow and cancel: a job on Vertex AI, by its number or its name
#   FLOORS       what the gate asks for, as --min-accuracy 0.9 --max-ece 0.05     [better than one class for all]
#   VERTEX_ARGS  further options of the submission, such as --dry-run or --spot
#   TARGET       where deploy puts a bundle: vertex, cloudrun, appengine, function or lambda
#   DRY_RUN      1: what goes to the cloud is only printed: jobs, studies, images, deployments

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# The settings of .env (.env.example says which), for every command; what the shell sets counts more. Only plain
# values are taken, as recipes put them into commands; a line of ours that isn't plain is an error.
PLAIN := ^[A-Z][A-Z0-9_]*=[A-Za-z0-9._:\/@,+=-]* *$$
OURS := ^(\xEF\xBB\xBF)?[[:space:]]*(export[[:space:]]+)?(CHRYSALIS|GOOGLE)_[A-Z0-9_]*[[:space:]]*=
ODD := $(shell LC_ALL=C sed -nE '/$(PLAIN)/d; /$(OURS)/{=;q}' .env 2>/dev/null)
ifneq ($(ODD),)
$(error .env:$(ODD): expected NAME=value of letters, digits and ._:/@,+=-, in a file without carriage returns)
endif
$(foreach line,$(shell LC_ALL=C sed -nE '/$(PLAIN)/p' .env 2>/dev/null),$(eval export $(firstword $(subst =, ,$(line))) ?= $(patsubst $(firstword $(subst =, ,$(line)))=%,%,$(line))))

DATASET ?= digits
RUN ?= $(if $(filter-out lambda,$(TARGET)),vertex,local)
CLOUD_ROOT := $(if $(CHRYSALIS_BUCKET),gs://$(CHRYSALIS_BUCKET:gs://%=%))
ROOT ?= $(if $(filter docker,$(RUN)),gs://chrysalis,$(or $(if $(filter-out local,$(RUN))$(filter doctor,$(MAKECMDGOALS)),$(CLOUD_ROOT)),data))
MODEL ?= vgg16
RUN_ID ?= $(MODEL)
HOST_GPUS := $(shell nvidia-smi -L 2>/dev/null | grep -c ^GPU)
GPU ?= $(if $(filter vertex,$(RUN)),1,$(HOST_GPUS))
ARGS ?=
FLOORS ?=
SPACE ?= searches/from_scratch.yaml
STUDY ?= study

# The data set's own name: the source's last part without the archive's ending.
NAME := $(shell basename -- "$(DATASET)" | sed -E 's/(\.tar)?\.(zip|tar|tgz|gz|bz2|xz)$$//; s/[^A-Za-z0-9._-]+/-/g')
RAW := $(ROOT)/raw/$(NAME)
INTERIM := $(ROOT)/interim/$(NAME)
PROCESSED := $(ROOT)/processed/$(NAME)
MODEL_URI := $(ROOT)/models/$(NAME)/$(RUN_ID)

PYTHON ?= python3
PIPENV_VERSION := 2026.10.3
ACCELERATOR := $(if $(filter 0,$(HOST_GPUS)),cpu,cuda)
PIPENV := PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 PIPENV_VERBOSITY=-1 .pipenv/bin/pipenv
PY := PYTHONPATH=src .venv/bin/python
SETUP := .venv/.synced-$(ACCELERATOR)

ifeq ($(filter $(RUN),local docker vertex $(if $(filter-out records,$(MAKECMDGOALS)),,dataflow)),)
$(error RUN is "$(RUN)"; it is one of local, docker, vertex, and dataflow for records)
endif
ifneq ($(filter serve,$(MAKECMDGOALS)),)
ifeq ($(filter $(RUN),local docker),)
$(error RUN is "$(RUN)"; serve runs with local or docker: make deploy RUN=$(RUN) puts a bundle into service)
endif
endif
TARGETS := vertex cloudrun appengine function lambda
ifneq ($(filter deploy,$(MAKECMDGOALS)),)
ifeq ($(filter $(or $(TARGET),$(RUN)),$(TARGETS) $(if $(TARGET),,docker)),)
$(error $(if $(TARGET),TARGET is "$(TARGET)",RUN is "$(RUN)"); deploy puts a container into service: RUN=docker, or TARGET=$(subst $() ,|,$(TARGETS)))
endif
endif
ifneq ($(filter docker vertex dataflow,$(RUN)),)
ifeq ($(filter gs://%,$(ROOT)),)
$(error ROOT is "$(ROOT)"; with RUN=$(RUN) the stages meet in a bucket: ROOT=gs://bucket/prefix, or CHRYSALIS_BUCKET in .env)
endif
endif
ifeq ($(wildcard src/models/$(MODEL)/train_multi_gpu.py),)
$(error MODEL is "$(MODEL)"; it is one of $(patsubst src/models/%/,%,$(dir $(wildcard src/models/*/train_multi_gpu.py))))
endif
# A second word would be taken for a further argument.
$(foreach name,RUN_ID STUDY,$(if $(filter 1,$(words $($(name)))),,$(error $(name) is "$($(name))"; expected a plain name, such as cnn-a)))
ifneq ($(filter evaluate,$(MAKECMDGOALS)),)
ifneq ($(RUN),local)
$(error evaluate runs on the host: leave RUN out)
endif
endif
ifneq ($(filter tune predict,$(MAKECMDGOALS)),)
ifeq ($(filter $(RUN),local vertex),)
$(error RUN is "$(RUN)"; tune and predict run with local or vertex)
endif
endif

STAGES := download process records train gate
# DRY_RUN is --dry-run, for each command that has it; what has none isn't run as if it were one.
DRY := $(if $(filter-out 0,$(DRY_RUN)),--dry-run)
ifneq ($(DRY),)
WET := cancel demo evaluate serve $(if $(filter local docker,$(RUN)),$(STAGES) pipeline tune) $(if $(filter docker,$(or $(TARGET),$(RUN))),deploy)
ifneq ($(filter $(WET),$(MAKECMDGOALS)),)
$(error DRY_RUN is "$(DRY_RUN)"; $(filter $(WET),$(MAKECMDGOALS))$(if $(filter cancel,$(MAKECMDGOALS)),, with RUN=$(RUN)) has no dry run: make -n $(filter $(WET),$(MAKECMDGOALS)) prints the commands)
endif
# A pipeline that isn't run sends nothing anyway.
pipeline-yaml: override VERTEX_ARGS := $(VERTEX_ARGS) $(if $(filter --run,$(VERTEX_ARGS)),$(DRY))
override VERTEX_ARGS += $(DRY)
endif
# What a stage is given beyond its folders: of a whole pipeline's ARGS, only the training's.
extra = $(if $(filter gate,$1),$(FLOORS) )$(if $(filter pipeline demo,$(MAKECMDGOALS)),$(if $(filter train,$1),$(ARGS)),$(ARGS))
# Those of the variables $1 that the command line gives, as it gave them: for commands that are told.
given = $(foreach name,$1,$(if $(filter command,$(firstword $(origin $(name)))),$(name)=$($(name))))

##@ The main job
.PHONY: demo
demo: GPU := $(HOST_GPUS)
demo: pipeline ## everything on the embedded digits, ending with a served model that is asked
	@$(PY) tools/demo.py --root $(ROOT) --dataset $(NAME) --run-id $(RUN_ID)

.PHONY: pipeline $(STAGES)
pipeline: $(STAGES) ## download → process → records → train (which evaluates and exports) → gate
	@$(if $(filter demo,$(MAKECMDGOALS))$(filter vertex,$(RUN)),,echo "next: $(strip make serve $(call given,RUN DATASET ROOT MODEL RUN_ID))")

##@ The stages, each with RUN=local|docker|vertex
download: download-$(RUN) ## fetch a data set: raw/<dataset>
process: process-$(RUN) ## check, split and describe it: interim/<dataset>
records: records-$(RUN) ## shard it into TFRecords: processed/<dataset>
train: train-$(RUN) ## train, evaluate and export: models/<dataset>/<run-id>
gate: gate-$(RUN) ## bless or refuse it, beside the champion: models/<dataset>/champion.json

.PHONY: download-local process-local records-local train-local gate-local
download-local: $(SETUP)
	@$(PY) -m datapipeline.download.dataloader --source "$(DATASET)" --output $(RAW) $(call extra,download)
process-local: $(SETUP)
	@$(PY) -m datapipeline.records.process --input $(RAW) --output $(INTERIM) $(call extra,process)
records-local: $(SETUP)
	@$(PY) -m datapipeline.records.build_records --input $(INTERIM) --output $(PROCESSED) $(call extra,records)
train-local: $(SETUP)
	@$(PY) -m models.$(MODEL).train_multi_gpu --gpu $(GPU) --input $(PROCESSED) --output $(MODEL_URI) $(call extra,train)
gate-local: $(SETUP)
	@$(PY) -m models.trainer.gate --model $(MODEL_URI) --input $(PROCESSED) $(call extra,gate)

# In containers; docker-compose.yml says what the variables are. A local data set is mounted.
LOCAL_DATASET := $(shell test -e "$(DATASET)" && realpath -- "$(DATASET)")
BUCKET := $(firstword $(subst /, ,$(ROOT:gs://%=%)))
COMPOSE = CONTAINER_USER=$$(id -u):$$(id -g) NAME=$(NAME) ROOT=$(ROOT) BUCKET=$(BUCKET) MODEL=$(MODEL) RUN_ID=$(RUN_ID) GPU=$(GPU) GIT_COMMIT=$(shell git rev-parse HEAD 2>/dev/null) \
	$(if $(LOCAL_DATASET),DATASETS="$$(dirname "$(LOCAL_DATASET)")" DATASET="/datasets/$$(basename "$(LOCAL_DATASET)")",DATASET="$(DATASET)") \
	ARGS="$(call extra,$*)" docker compose
.PHONY: $(STAGES:%=%-docker) serve-docker deploy-docker
$(STAGES:%=%-docker): %-docker:
	@$(COMPOSE) run --rm --build $*$(if $(filter train0,$*$(GPU)),,$(if $(filter train,$*),-cuda))
serve-docker: %-docker:
	@$(COMPOSE) up --build serving
deploy-docker: export REQUIRE_BLESSED := 1
deploy-docker: %-docker:
	@# First beside what is in service, which stays there if this one is refused.
	@$(COMPOSE) run --rm --build -T serving --model $(MODEL_URI) --check
	@$(COMPOSE) up --detach --wait --force-recreate serving

ifneq ($(and $(filter vertex,$(RUN)),$(filter --no-wait,$(VERTEX_ARGS)),$(filter pipeline,$(MAKECMDGOALS))),)
$(error --no-wait would send all stages at once, each before its data is there: make pipeline-yaml VERTEX_ARGS="--run --no-wait" hands Vertex AI the chain)
endif
ifneq ($(and $(filter pipeline-yaml,$(MAKECMDGOALS)),$(filter-out 1,$(WORKERS))),)
$(error WORKERS is "$(WORKERS)"; a pipeline of make pipeline-yaml trains on one machine: make pipeline RUN=vertex takes WORKERS)
endif
# On Vertex AI: `python -m vertex submit --help` says what CHRYSALIS_PROJECT, _REGION and _IMAGES are.
SUBMITTED := $(filter-out gate,$(STAGES))
.PHONY: $(STAGES:%=%-vertex)
download-vertex: SUBMIT := --source "$(DATASET)"
train-vertex: SUBMIT := --model "$(MODEL)" --run-id "$(RUN_ID)" --gpu "$(GPU)" $(if $(WORKERS),--workers "$(WORKERS)")
$(SUBMITTED:%=%-vertex): %-vertex: $(SETUP)
	@$(PY) -m vertex submit $* --root "$(ROOT)" --dataset "$(NAME)" $(SUBMIT) $(VERTEX_ARGS) -- $(call extra,$*)
# On Dataflow: the same shards, from as many machines as they are worth.
.PHONY: records-dataflow
records-dataflow: $(SETUP)
	@$(PY) -m vertex dataflow --root "$(ROOT)" --dataset "$(NAME)" $(VERTEX_ARGS) -- $(call extra,records)
# The same stages as a DAG, for Kubeflow and Vertex AI Pipelines.
.PHONY: pipeline-yaml
pipeline-yaml: $(SETUP) ## compile the chain to a Kubeflow pipeline: reports/pipeline.yaml
	@$(PY) -m vertex pipeline --root "$(or $(filter gs://%,$(ROOT)),$(CLOUD_ROOT))" --dataset "$(NAME)" --source "$(DATASET)" \
		--model "$(MODEL)" --run-id "$(RUN_ID)" --gpu "$(if $(filter file,$(origin GPU)),1,$(GPU))" --gate-args "$(FLOORS)" --output reports/pipeline.yaml $(VERTEX_ARGS) -- $(ARGS)
# The gate reads two small files of the bundle: it runs here, once there is one.
ifneq ($(filter --dry-run --no-wait,$(VERTEX_ARGS)),)
gate-vertex:
	@echo "the gate judges what is trained: make gate RUN=vertex when that is done"
else
gate-vertex: gate-local
endif

##@ Using the model
.PHONY: evaluate tune tune-local tune-vertex serve predict predict-local deploy
evaluate: $(SETUP) ## judge a bundle on a processed data set
	@$(PY) -m models.trainer.evaluate --model $(MODEL_URI) --input $(PROCESSED) $(ARGS)
tune: tune-$(RUN) ## search for the best options of a training, with RUN=local|vertex: models/<dataset>/<study>
tune-local: $(SETUP)
	@$(PY) -m models.trainer.tune --space $(SPACE) --model $(MODEL) --gpu $(GPU) --input $(PROCESSED) --output $(ROOT)/models/$(NAME)/$(STUDY) $(ARGS)
tune-vertex: $(SETUP)
	@$(PY) -m vertex tune --space "$(SPACE)" --study "$(STUDY)" --root "$(ROOT)" --dataset "$(NAME)" --model "$(MODEL)" --gpu "$(GPU)" $(if $(WORKERS),--workers "$(WORKERS)") $(VERTEX_ARGS) $(ARGS)
serve: serve-$(RUN) ## serve a bundle, with its web page, on port 8080
RUNS = $(ROOT)/models/$(NAME)
# What can be served of the data set: its runs, those of its studies, and the gate's choice.
SERVABLE = $(patsubst $(RUNS)/%,%,$(patsubst %/bundle.json,%,$(wildcard $(addprefix $(RUNS)/,*/bundle.json */*/bundle.json champion.json))))
serve-local: $(SETUP)
	@$(if $(or $(findstring gs://,$(ROOT)),$(findstring --model,$(ARGS)),$(filter $(RUN_ID),$(SERVABLE))),,$(error $(MODEL_URI) is no finished run; $(if $(SERVABLE),$(RUNS) has $(SERVABLE): $(strip make serve $(call given,DATASET ROOT) RUN_ID=$(firstword $(SERVABLE))),$(RUNS) has none: make pipeline makes one)))
	@$(PY) -m serving --model $(MODEL_URI) $(ARGS)
deploy: deploy-$(or $(TARGET),$(RUN)) ## put a blessed bundle into service: RUN=docker, a container that stays; or a TARGET
predict: predict-$(RUN) ## classify an image, with RUN=local|vertex: make predict IMAGE=photo.jpg
predict-local: $(SETUP)
	@$(PY) -m serving.predict --model $(MODEL_URI) $(ARGS) "$(or $(IMAGE),$(error IMAGE is empty: make predict IMAGE=photo.jpg))"

##@ On Google Cloud
.PHONY: doctor push jobs follow cancel promote rollback undeploy predict-vertex $(TARGETS:%=deploy-%)
doctor: $(SETUP) ## check what could keep a stage from running, here and in the project
	@$(PY) -m vertex doctor --root $(ROOT) --dataset "$(NAME)" --model "$(MODEL)" $(if $(filter-out GPU=all,$(call given,GPU)),--gpu "$(GPU)") $(if $(WORKERS),--workers "$(WORKERS)") $(ARGS)
push: $(SETUP) ## build MODEL's images and the chain's, tag them with the commit, and push them
	@$(PY) -m vertex push --model "$(MODEL)" $(DRY) $(ARGS)
jobs: $(SETUP) ## what runs on Vertex AI
	@$(PY) -m vertex list $(ARGS)
follow: $(SETUP) ## see a job there to its end: make follow JOB=1234
	@$(PY) -m vertex follow "$(or $(JOB),$(error JOB is empty: make jobs lists them))"
cancel: $(SETUP) ## stop a job there: make cancel JOB=1234
	@$(PY) -m vertex cancel "$(or $(JOB),$(error JOB is empty: make jobs lists them))" $(ARGS)
# Also AWS: `python -m vertex deploy --help` says what each target takes.
$(TARGETS:%=deploy-%): deploy-%: $(SETUP)
	@$(PY) -m vertex deploy --target $* --model $(MODEL_URI) $(VERTEX_ARGS)
promote: $(SETUP) ## all requests to what deploy with VERTEX_ARGS="--canary 10" gave a part of them
	@$(PY) -m vertex promote --dataset "$(NAME)" $(VERTEX_ARGS)
rollback: $(SETUP) ## its part back to what was deployed before
	@$(PY) -m vertex rollback --dataset "$(NAME)" $(VERTEX_ARGS)
undeploy: $(SETUP) ## take everything off the endpoint, which then costs nothing
	@$(PY) -m vertex undeploy --dataset "$(NAME)" $(VERTEX_ARGS)
predict-vertex: $(SETUP)
	@$(PY) -m vertex predict --dataset "$(NAME)" $(ARGS) "$(or $(IMAGE),$(error IMAGE is empty: make predict RUN=vertex IMAGE=photo.jpg))"

##@ Looking
.PHONY: report notebooks scale
report: $(SETUP) ## collect every report under ROOT on one page: reports/index.html
	@$(PY) -m tools.report --root $(ROOT) --output reports $(ARGS)
notebooks: $(SETUP) ## run the notebooks over DATASET and RUN_ID: reports/notebooks
	@$(PY) -m tools.notebooks --root $(ROOT) --dataset $(NAME) --run-id $(RUN_ID) $(if $(IMAGE),--photo "$(IMAGE)") $(ARGS)
scale: $(SETUP) ## what 10 TB and 1,000 requests/s would take: docs/scale.md, or ARGS="--bytes 3TB"
	@$(PY) -m tools.scale $(ARGS)

##@ Working on Chrysalis
.PHONY: setup lint test test-containers rehearse lock help
setup: $(SETUP) ## the host's environment in .venv, with pipenv

$(SETUP): Pipfile.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "Chrysalis needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d: make setup PYTHON=python3.12" % v)'
	@test -x .pipenv/bin/pipenv || { $(PYTHON) -m venv .pipenv && .pipenv/bin/pip install --quiet --disable-pip-version-check pipenv==$(PIPENV_VERSION); }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@echo "setting up .venv ($(ACCELERATOR)): a few minutes, once"
	@$(PIPENV) sync --quiet --categories "packages dev-packages beam $(ACCELERATOR)"
	@touch $@

lint: $(SETUP) ## ruff, mypy --strict, and that the locks fit their Pipfiles
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@# pipenv counts pip's configuration as part of a Pipfile: the locks were made without one.
	@for pipfile in $$(git ls-files '*Pipfile'); do PIP_CONFIG_FILE=/dev/null PIPENV_PIPFILE=$$PWD/$$pipfile $(PIPENV) verify >/dev/null || { echo "$$pipfile changed after its lock: make lock"; exit 1; }; done

test: $(SETUP) ## every test that needs no container engine and no GPU
	@.venv/bin/pytest -m "not containers" -n logical --maxprocesses 4 --dist loadfile $(ARGS)

test-containers: $(SETUP) ## build every image and run the chain in them
	@.venv/bin/pytest -m containers $(ARGS)

rehearse: $(SETUP) ## the cloud's commands against a loopback Vertex AI that runs their images: reports/rehearsal
	@PYTHONPATH=src:. .venv/bin/python -m rehearsal $(ARGS)

# What we are measured against: environments of their own, benchmarks/peers/.venv and benchmarks/serving_peers/.venv.
PEERS := benchmarks/peers/.venv/.synced
SERVING_PEERS := benchmarks/serving_peers/.venv/.synced
$(PEERS) $(SERVING_PEERS): benchmarks/%/.venv/.synced: benchmarks/%/Pipfile.lock $(SETUP)
	@test -x $(@D)/bin/python || .venv/bin/python -m venv $(@D)
	@echo "setting up $(@D): some minutes, once"
	@PIPENV_PIPFILE=$$PWD/benchmarks/$*/Pipfile $(PIPENV) sync --quiet
	@touch $@

PHOTOS ?= $(wildcard ../shared/data/photos-400.zip)
SMALL ?= $(wildcard ../shared/data/cifar10-6k.zip)
WEIGHTS ?= $(wildcard ../shared/data/weights/mobilenet_2_5_224_tf_no_top.h5)
.PHONY: bench bench-data bench-kills bench-train bench-train-kills bench-labels bench-serving bench-serving-fuzz bench-serving-soak
bench: bench-data bench-kills bench-train bench-train-kills bench-labels bench-serving bench-serving-fuzz bench-serving-soak ## every benchmark
bench-data: $(PEERS) ## measure the data stages against their peers: reports/benchmarks/data.md
	@$(PY) -m benchmarks.bench_data $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(SMALL),--small "$(SMALL)") $(ARGS)
bench-kills: $(SETUP) ## kill the data stages 200 times, run them again and compare: reports/benchmarks/kills.md
	@PYTHONPATH=src:. .venv/bin/python -m benchmarks.kills $(ARGS)
bench-train: $(SETUP) ## measure the trainer against Keras' fit and others: reports/benchmarks/training.md
	@$(PY) -m benchmarks.bench_train $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(SMALL),--small "$(SMALL)") $(if $(WEIGHTS),--weights "$(WEIGHTS)") $(ARGS)
bench-train-kills: $(SETUP) ## stop trainings 20 times, start them again and compare: reports/benchmarks/training_kills.md
	@PYTHONPATH=src:. .venv/bin/python -m benchmarks.train_kills $(ARGS)
bench-labels: $(SETUP) ## change labels of the digits, and count those that are found: reports/benchmarks/label_errors.md
	@$(PY) -m benchmarks.bench_labels $(ARGS)
bench-serving: $(SERVING_PEERS) ## measure the server against its peers: reports/benchmarks/serving.md
	@$(PY) -m benchmarks.bench_serving $(if $(PHOTOS),--photos "$(PHOTOS)") $(ARGS)
bench-serving-fuzz: $(SETUP) ## send a server 50,000 broken images: reports/benchmarks/serving_fuzz.md
	@$(PY) -m benchmarks.serving_fuzz $(ARGS)
bench-serving-soak: $(SETUP) ## load a server for ten minutes while clients are killed: reports/benchmarks/serving_soak.md
	@$(PY) -m benchmarks.serving_soak $(if $(PHOTOS),--photos "$(PHOTOS)") $(ARGS)

lock: $(SETUP) ## resolve every Pipfile anew
	@.venv/bin/python tools/lock.py

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' Makefile
	@echo; sed -n '/^# Variables/,/^$$/s/^# \{0,1\}//p' Makefile
