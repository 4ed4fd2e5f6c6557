#!/usr/bin/env bash
# generate.sh LANGUAGE OUT_DIR: generates the bindings for kotlin, swift or python and lays the hand-written layer beside them.
# With CALLOUT_BIN_DIR the library and the generator are taken from there instead of being built (release).
# 生成 Kotlin、Swift 或 Python 绑定，并附上手写的封装层。
set -euo pipefail
[ $# = 2 ] || { echo "usage: generate.sh kotlin|swift|python OUT_DIR" >&2; exit 2; }
language=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..

if [ -n "${CALLOUT_BIN_DIR:-}" ]; then
    bin=$(cd "$CALLOUT_BIN_DIR" && pwd)
else
    (cd "$root" && cargo build --quiet --release --locked -p callout-mobile-sdk-ffi --features bindgen)
    bin=${CARGO_TARGET_DIR:-$root/target}/release
fi
library=
# `cargo build` lays the library beside the binaries, `cargo test` leaves it among the dependencies.
for name in libcallout_phone_ffi.so libcallout_phone_ffi.dylib callout_phone_ffi.dll; do
    for folder in "$bin/deps" "$bin"; do
        if [ -f "$folder/$name" ] && { [ -z "$library" ] || [ "$folder/$name" -nt "$library" ]; }; then library=$folder/$name; fi
    done
done
[ -n "$library" ] || { echo "the library is not in $bin; build callout-mobile-sdk-ffi first" >&2; exit 1; }

generate() { "$bin/uniffi-bindgen" generate --language "$language" --config "$here/generate.toml" --out-dir "$1" --no-format "$library"; }

case $language in
kotlin)
    generate "$out"
    mkdir -p "$out/callout/phone"
    cp "$here/kotlin/Phone.kt" "$out/callout/phone/Phone.kt"
    cp "$library" "$out/"
    ;;
swift)
    generate "$out"
    cp "$here/swift/Phone.swift" "$out/"
    ;;
python)
    mkdir -p "$out/callout_phone"
    cp "$here"/python/callout_phone/* "$out/callout_phone/"
    # The generated module looks for the library in its own folder.
    generate "$out/callout_phone"
    cp "$library" "$out/callout_phone/"
    ;;
*)
    echo "unknown language $language: kotlin, swift or python" >&2
    exit 2
    ;;
esac
