#!/usr/bin/env bash
# All that needs a GPU: correctness in every dtype, speed beside cuDNN, the tests. Each step takes less than ten minutes.
#
#   benchmarks/gpu.sh                                  every step
#   benchmarks/gpu.sh correctness bfloat16             these steps; a dtype stands for its three layers
#   benchmarks/gpu.sh --device cpu --interpret         dry run without a GPU: tiny sizes, writes nothing
#
# Steps: correctness, tests, and LAYER-DTYPE with layer D4-3x3, D4-1x1 or C4-3x3 and dtype bfloat16, float16 or tf32.
# PYTHON is the interpreter to use (default: .venv/bin/python, else python3); it needs torch, triton and jaxtyping, and
# pytest with pytest-xdist for the tests. Results go to benchmarks/results/gpu_*.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

device=cuda interpret=0 steps=()
while (($#)); do
  case $1 in
    --device) device=${2:?--device needs cuda or cpu}; shift ;;
    --interpret) interpret=1 ;;
    correctness | tests | [CD]4-[13]x[13]-*) steps+=("$1") ;;
    bfloat16 | float16 | tf32) steps+=("D4-3x3-$1" "D4-1x1-$1" "C4-3x3-$1") ;;
    *)
      echo "benchmarks/gpu.sh: $1 is no step and no option: choose among correctness, bfloat16, float16, tf32, tests" >&2
      exit 2
      ;;
  esac
  shift
done
if ((${#steps[@]} == 0)); then
  steps=(correctness)
  for dtype in bfloat16 float16 tf32; do steps+=("D4-3x3-$dtype" "D4-1x1-$dtype" "C4-3x3-$dtype"); done
  steps+=(tests)
fi
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}

quick=()
if [ "$device" = cpu ]; then
  ((interpret)) || { echo "benchmarks/gpu.sh: --device cpu needs --interpret: the kernels run there in Triton's interpreter only" >&2; exit 2; }
  export TRITON_INTERPRET=1 CUDA_VISIBLE_DEVICES="" OMP_NUM_THREADS=1
  quick=(--quick)
elif ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "benchmarks/gpu.sh: no CUDA GPU here; for a dry run on the CPU: benchmarks/gpu.sh --device cpu --interpret" >&2
  exit 1
fi

run() {
  case $1 in
    correctness) timeout 600 "$python" -m benchmarks gpu_correctness "${quick[@]}" ;;
    tests)
      if ((interpret)); then
        timeout 600 "$python" -m pytest -q -p no:cacheprovider -m gpu tests/kernels/fused -k "D4 and 1x1"
      else
        timeout 600 "$python" -m pytest -q -p no:cacheprovider -n 8 -m gpu tests/kernels/fused
      fi ;;
    *) timeout 600 "$python" -m benchmarks gpu_speed "${quick[@]}" --only "${1//-/ }" ;;
  esac
}

failed=()
for step in "${steps[@]}"; do
  echo "== $step"
  run "$step" || failed+=("$step")
done
((${#failed[@]} == 0)) || { echo "benchmarks/gpu.sh: failed: ${failed[*]}" >&2; exit 1; }
