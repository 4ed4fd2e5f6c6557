#!/usr/bin/env bash
# Coverage-guided fuzzing with libFuzzer, on the stable compiler. Needs a C++ compiler.
#   tests/fuzz/fuzz.sh TARGET [SECONDS] [libFuzzer's options …]
# New inputs that reach new code are kept in target/fuzz-corpus/TARGET; `--merge` as SECONDS copies the smallest set that covers
# the same code into the committed corpus. CALLOUT_FUZZ_FEATURES=phone (or "") builds fewer targets, faster.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${1:?"usage: tests/fuzz/fuzz.sh TARGET [SECONDS|--merge]"}
seconds=${2:-60}
shift $(($# > 1 ? 2 : 1))
# What cargo-fuzz passes too: count edges, keep the table of program counters, watch comparisons.
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions --cfg fuzzing"
folder=${CARGO_TARGET_DIR:-target}
features="libfuzzer,${CALLOUT_FUZZ_FEATURES-server,phone}"
# With a target named, build scripts and macros are built without these flags: they could not be linked with them.
host=$(rustc -vV | sed -n 's/^host: //p')
cargo build --release --locked --target "$host" --target-dir "$folder/fuzz" -p callout-fuzz --bin coverage_guided \
    --no-default-features --features "$features"
binary="$folder/fuzz/$host/release/coverage_guided"
committed="tests/fuzz/corpus/$target"
working="$folder/fuzz-corpus/$target"
mkdir -p "$committed" "$working"
export CALLOUT_FUZZ_TARGET=$target
CALLOUT_FUZZ_SEEDS=$working "$binary" -runs=1 2>/dev/null
if [ "$seconds" = --merge ]; then
    exec "$binary" -set_cover_merge=1 -use_counters=0 -max_len=4096 "$committed" "$working"
fi
exec "$binary" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 -malloc_limit_mb=512 \
    -artifact_prefix="$committed/found-" "$@" "$working" "$committed"
