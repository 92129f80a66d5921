#!/bin/sh
# Shows what rjax writes to the programs that read StableHLO: jaxlib's parser and verifier, XLA:CPU behind two PJRT plugins
# of different age, and libtpu's compiler. Everything comes from PyPI into a folder of its own.
#
#   tests/consumers.sh [FOLDER]             default: target/consumers
#   tests/consumers.sh --parser [FOLDER]    jaxlib's parser and verifier only, which is what CI runs
#
# Where PyPI cannot be reached it says that it skipped; with RJAX_REQUIRE_CONSUMERS=1, as CI sets it, that is a failure.
set -eu
cd "$(dirname "$0")/.."
parser_only=0
if [ "${1:-}" = --parser ]; then
    parser_only=1
    shift
fi
folder=${1:-target/consumers}
packages="jaxlib==0.10.2 jax==0.10.2"
[ "$parser_only" = 1 ] || packages="$packages lammps-jax-pjrt-cpu==0.11.2 xla-cpu-pjrt==0.0.1 libtpu==0.0.52"
samples=${RJAX_PJRT_SAMPLES:-400}
tpu_samples=${RJAX_TPU_SAMPLES:-120}

skip() {
    echo "skipped: $1"
    [ "${RJAX_REQUIRE_CONSUMERS:-0}" = 0 ] || exit 1
    exit 0
}

command -v python3 >/dev/null || skip "there is no python3"
[ -d "$folder/venv" ] || python3 -m venv "$folder/venv" || skip "python3 cannot make an environment"
# shellcheck disable=SC2086 # one word for each package
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check $packages || skip "the packages cannot be installed"
found() { find "$folder/venv" -name "$1" | head -n 1; }

echo "== jaxlib parses and verifies every sample"
rm -rf "$folder/samples" && mkdir -p "$folder/samples"
absolute=$(cd "$folder" && pwd)
RJAX_STABLEHLO_OUT="$absolute/samples" cargo test -q -p rjax-tests --test stablehlo read_back
"$folder/venv/bin/python" tests/jaxlib_parses.py "$absolute/samples"
[ "$parser_only" = 0 ] || exit 0

header=$(found pjrt_c_api.h)
echo "== the declarations are those of $header"
RJAX_PJRT_HEADER="$header" cargo test -q -p rjax-runtime --lib pjrt

for plugin in "$(found pjrt_c_api_cpu_plugin.so)" "$(found xla_cpu_pjrt.so)"; do
    echo "== $samples samples on $plugin"
    RJAX_PJRT_PLUGIN="$plugin" RJAX_PJRT_SAMPLES="$samples" \
        cargo test -q -p rjax-tests --test pjrt samples_run -- --nocapture
done

libtpu=$(found libtpu.so)
echo "== arrays on a device, and a data-parallel step for four TPUs"
cargo build -q -p rjax-opt
RJAX_OPT="$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug/rjax-opt" \
    RJAX_PJRT_PLUGIN="$(found xla_cpu_pjrt.so)" TPU_LIBRARY_PATH="$libtpu" timeout 900 \
    cargo test -q -p rjax --test api plugged

echo "== $tpu_samples samples for v5e by $libtpu"
ALLOW_MULTIPLE_LIBTPU_LOAD=1 RJAX_LIBTPU="$libtpu" RJAX_PJRT_SAMPLES="$tpu_samples" timeout 900 \
    cargo test -q -p rjax-tests --test pjrt samples_compile -- --nocapture
