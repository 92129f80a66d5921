#!/usr/bin/env bash
# The unsafe code, which is in `runtime` and `codegen-cpu`, under sanitizers: their unit tests with AddressSanitizer, the thread pool's with
# ThreadSanitizer. A finding ends the run.
#
# Sanitizers come with every toolchain for Linux on x86-64, but only nightly compilers take the flag by themselves; RUSTC_BOOTSTRAP makes the
# stable one take it. Only the crate under test is instrumented. What the standard library and other crates do is seen through the
# allocator, and generated code not at all: RJAX_GUARD=after and before are for that. RJAX_GUARD=heap has every array allocated by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

# Cargo itself must not see the variable: build scripts that ask for it would run again, and everything after them.
cat >"$folder/rustc" <<'END'
#!/bin/sh
case " $* " in
*" -Zsanitizer="*) RUSTC_BOOTSTRAP=1 exec "$@" ;;
*) exec "$@" ;;
esac
END
chmod +x "$folder/rustc"
export RUSTC_WRAPPER="$folder/rustc"

# tests PACKAGE SANITIZER: builds the unit tests of a package and says where they are.
tests() {
    cargo rustc -p "$1" --lib --profile test --message-format=json-render-diagnostics -- \
        "-Zsanitizer=$2" -Cunsafe-allow-abi-mismatch=sanitizer |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1
}

# finds SANITIZER SUMMARY: fails unless the sanitizer finds what is wrong with the program on standard input.
finds() {
    cat >"$folder/planted.rs"
    "$RUSTC_WRAPPER" rustc --edition 2024 "-Zsanitizer=$1" -Cunsafe-allow-abi-mismatch=sanitizer -o "$folder/planted" "$folder/planted.rs"
    if "$folder/planted" >"$folder/found" 2>&1 || ! grep -q "$2" "$folder/found"; then
        echo "the $1 sanitizer does not find $2" && exit 1
    fi
}

# Memory that is kept to be used again is not lost.
export ASAN_OPTIONS=detect_leaks=0
# Three things that are in order, but half of them in code that ThreadSanitizer does not see: the fence in the drop of `Arc`, the value that
# a `LazyLock` is given, and the channel by which the test harness hears of results.
printf '%s\n' race:alloc/src/sync.rs race:std/src/sync/lazy_lock.rs race:CompletedTest >"$folder/known"
export TSAN_OPTIONS="suppressions=$folder/known"

echo "== planted errors are found"
finds address heap-buffer-overflow <<'END'
fn main() {
    let array = vec![1u8; std::env::args().count()];
    println!("{}", unsafe { array.as_ptr().add(1).read_volatile() });
}
END
finds thread "data race" <<'END'
fn main() {
    static mut COUNT: usize = 0;
    let add = || (0..1000).for_each(|_| unsafe { COUNT += 1 });
    std::thread::scope(|scope| [scope.spawn(add), scope.spawn(add)].map(|thread| thread.join().unwrap()));
    println!("{}", unsafe { (&raw const COUNT).read() });
}
END

echo "== threads"
pool=$(tests rjax-runtime thread)
for _ in 1 2 3; do "$pool" --quiet threads:: pool:: buffer:: profile::; done

echo "== addresses"
"$(tests rjax-runtime address)" --quiet
RJAX_GUARD=heap "$(tests rjax-codegen-cpu address)" --quiet
