#!/bin/sh
# Shows what rjax writes to the programs that read StableHLO: jaxlib's parser and verifier, XLA:CPU behind two PJRT plugins
# of different age, and libtpu's compiler. Everything comes from PyPI into a folder of its own.
#
#   tests/consumers.sh [FOLDER]             default: target/consumers; a sample of everything, as CI runs it
#   tests/consumers.sh --all [FOLDER]       every sample, which takes most of an hour on two cores
#   tests/consumers.sh --parser [FOLDER]    jaxlib's parser and verifier only, on every sample
#
# RJAX_STABLEHLO_MODULES names more folders of modules, separated by colons, that are read, written and compiled like the samples.
# Where PyPI cannot be reached it says that it skipped; with RJAX_REQUIRE_CONSUMERS=1, as CI sets it, that is a failure.
set -eu
cd "$(dirname "$0")/.."
samples=400
artifacts=120
parser_only=0
case "${1:-}" in
--all)
    samples=
    artifacts=
    shift
    ;;
--parser)
    parser_only=1
    shift
    ;;
esac
folder=${1:-target/consumers}
mkdir -p "$folder"
# Tests run in the folders of their packages.
folder=$(cd "$folder" && pwd)

skip() {
    echo "skipped: $1"
    [ "${RJAX_REQUIRE_CONSUMERS:-0}" = 0 ] || exit 1
    exit 0
}

command -v python3 >/dev/null || skip "there is no python3"
[ -d "$folder/venv" ] || python3 -m venv "$folder/venv" || skip "python3 cannot make an environment"
packages="jaxlib==0.10.2 jax==0.10.2"
[ "$parser_only" = 1 ] || packages="$packages lammps-jax-pjrt-cpu==0.11.2 xla-cpu-pjrt==0.0.1 libtpu==0.0.52"
# shellcheck disable=SC2086 # one word for each package
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check $packages || skip "the packages cannot be installed"
found() { find "$folder/venv" -name "$1" | head -n 1; }
header=$(found pjrt_c_api.h)
first=$(found pjrt_c_api_cpu_plugin.so)
second=$(found xla_cpu_pjrt.so)
libtpu=$(found libtpu.so)

# The same packages as in `cargo test --workspace`, so that nothing is built a second time with other features.
tests() { cargo test -q --workspace "$@"; }
with_count() { if [ -n "$1" ]; then export RJAX_PJRT_SAMPLES="$1"; else unset RJAX_PJRT_SAMPLES; fi; }

echo "== every sample is written, twice to the same bytes"
rm -rf "$folder/samples" "$folder/again" && mkdir -p "$folder/samples" "$folder/again"
RJAX_STABLEHLO_OUT="$folder/samples" tests --test stablehlo read_back
RJAX_STABLEHLO_OUT="$folder/again" tests --test stablehlo read_back
diff -rq "$folder/samples" "$folder/again"
rm -rf "$folder/again"

echo "== jaxlib parses and verifies every sample"
"$folder/venv/bin/python" tests/jaxlib_parses.py "$folder/samples"
[ "$parser_only" = 0 ] || exit 0

echo "== the declarations are those of $header"
RJAX_PJRT_HEADER="$header" tests --lib layouts_are_those_of_the_c_header

for plugin in "$first" "$second"; do
    echo "== ${samples:-all} samples on $plugin"
    with_count "$samples"
    RJAX_PJRT_PLUGIN="$plugin" tests --test pjrt -- --nocapture samples_run executables_load
done

echo "== arrays on a device, and a data-parallel step for four TPUs"
cargo build -q --workspace --bins
RJAX_OPT="$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug/rjax-opt" \
    RJAX_PJRT_PLUGIN="$first" TPU_LIBRARY_PATH="$libtpu" tests --test api plugged

echo "== the digits on the processor and on a device: the same losses"
here=$(cargo run -q --release --bin digits | grep 'mean loss')
there=$(cargo run -q --release --bin digits -- --device "pjrt:$first" | grep 'mean loss')
echo "here:  $here"
echo "there: $there"
python3 tests/same_losses.py "$here" "$there"

echo "== ${artifacts:-all} artifacts for v5e by $libtpu"
with_count "$artifacts"
RJAX_LIBTPU="$libtpu" RJAX_TPU_ARTIFACTS="$folder/samples" tests --test pjrt -- --nocapture artifacts_compile
