#!/usr/bin/env bash
# Checks and measures everything on a GPU, in eight minutes at most.
#
#     bash benchmarks/gpu.sh [--device cuda|cpu] [--out FOLDER]
#
# It needs an environment that can run this package and the tests (tools/run_tests.sh
# makes one), and no network, data or weights. Another GPU than the first one is chosen
# by CUDA_VISIBLE_DEVICES. FOLDER, by default work_dirs/gpu, gets what every step
# printed (NAME.txt) and its results (NAME.csv); what a step has measured is kept when
# its time is over. --device cpu runs the same steps on small inputs, for as long as it
# takes, to try the script.
set -uo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
device=cuda out=work_dirs/gpu
while [ $# -gt 0 ]; do
  case $1 in
  --device) device=${2:-} ;;
  --out) out=${2:-} ;;
  *)
    echo "$1: expected --device cuda|cpu or --out FOLDER" >&2
    exit 2
    ;;
  esac
  shift 2 || exit 2
done
case $device in
cuda)
  if ! python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo '--device cuda: this PyTorch finds no GPU; --device cpu tries the script' >&2
    exit 2
  fi
  scale=1 options=(--batch 8 --repeats 5 --settings plain amp+channels_last compile)
  repeats=15
  ;;
cpu)
  scale=9 options=(--depth 18 --size 40 --repeats 1 --settings plain amp+channels_last)
  repeats=1
  ;;
*)
  echo "--device $device: expected cuda or cpu" >&2
  exit 2
  ;;
esac
mkdir -p -- "$out" || exit 2
out=$(cd -- "$out" && pwd)
export MPLBACKEND=agg PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
failed=0

# run NAME SECONDS COMMAND...
run() {
  local name=$1 limit=$(($2 * scale)) status=0 start=$SECONDS
  shift 2
  timeout "$limit" "$@" >"$out/$name.txt" 2>&1 || status=$?
  case $status in
  0) status=done ;;
  124) status="stopped after $limit s" ;;
  *) status="failed ($status): $(tail -n 1 "$out/$name.txt")" ;;
  esac
  printf '%-28s %3d s  %s\n' "$name" $((SECONDS - start)) "$status"
  [ "$status" = done ] || failed=1
}

run doctor 40 python -m mmtemporal.tools doctor
run tests 110 python -m pytest -q tests/test_ops/test_temporal_mix_triton.py -m gpu -rs
for dtype in float32 float16 bfloat16; do
  for layout in '' --channels-last; do
    name=temporal_mix_$dtype${layout:+_channels_last}
    # shellcheck disable=SC2086  # no layout is no argument
    run "$name" 20 python benchmarks/temporal_mix.py --device "$device" \
      --dtype $dtype $layout --repeats $repeats --out "$out/$name.csv"
  done
done
run networks 210 python benchmarks/networks.py --device "$device" "${options[@]}" \
  --out "$out/networks.csv"
echo "results: $out"
exit $failed
