#!/bin/sh
# The unsafe code, which is in `runtime` and `codegen-cpu`, under AddressSanitizer, and the thread pool under ThreadSanitizer.
#
#   tests/sanitizers.sh [FOLDER]            default: target/sanitizers
#
# Sanitizers are part of every toolchain, but only nightly ones may ask for them by themselves; RUSTC_BOOTSTRAP lets the stable one.
# Only the crates of this workspace are instrumented, and what they call is seen through the allocator.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-target/sanitizers}
mkdir -p "$folder"

# One compiler for each sanitizer. Code that the compiler itself loads is left as it is.
sanitize() {
    wrapper=$(cd "$folder" && pwd)/rustc-$1
    cat >"$wrapper" <<EOF
#!/bin/sh
case " \$* " in
*" proc-macro "* | *" build_script_build "*) exec "\$@" ;;
*) RUSTC_BOOTSTRAP=1 exec "\$@" -Zsanitizer=$1 -Cunsafe-allow-abi-mismatch=sanitizer ;;
esac
EOF
    chmod +x "$wrapper"
    RUSTC_WORKSPACE_WRAPPER=$wrapper
    export RUSTC_WORKSPACE_WRAPPER
}

echo "== addresses"
sanitize address
# Blocks that the pool keeps to use again are not lost.
ASAN_OPTIONS=detect_leaks=0 cargo test --target-dir "$folder" -p rjax-runtime -p rjax-codegen-cpu --lib

echo "== threads"
sanitize thread
cargo test --target-dir "$folder" -p rjax-runtime --lib
