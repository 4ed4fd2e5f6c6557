#!/usr/bin/env bash
# Generates the bindings, compiles them, and has a Python and a Kotlin program do the tester's job against a live server: enrol, sign in,
# see the order arrive, accept, contact, arrive, ask for consent, capture three operators, photo, findings, submit, sync. What the server
# then holds is compared. Swift is generated and parsed: there is no compiler for it here.
# With CALLOUT_BIN_DIR the binaries (callout, uniffi-bindgen, the library) are taken from there instead of being built.
# 生成并编译绑定，用 Python 与 Kotlin 程序对真实服务器完成一次现场测试；Swift 仅生成并做语法检查。
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
if [ -z "${CALLOUT_BIN_DIR:-}" ]; then
    (cd "$root" && cargo build --quiet --release --locked -p callout -p callout-mobile-sdk-ffi --features callout-mobile-sdk-ffi/bindgen)
    CALLOUT_BIN_DIR=$target/release
fi
CALLOUT_BIN_DIR=$(cd "$CALLOUT_BIN_DIR" && pwd)
export CALLOUT_BIN_DIR
tools=$target/ffi-tools
mkdir -p "$tools"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { printf -- '-- %s\n' "$*"; }
skipped=

say "Python"
"$here/generate.sh" python "$work/python"
cp "$here/check/main_job.py" "$work/python/"
python3 "$here/check/against_server.py" python "$work" python3 "$work/python/main_job.py"

say "Kotlin"
has_java() { command -v java >/dev/null 2>&1; }
jna() { ls /usr/share/java/jna.jar 2>/dev/null; }
packages=
has_java || packages="$packages default-jre-headless"
jna >/dev/null || packages="$packages libjna-java"
# The compiler, with its coroutines, comes by npm.
command -v npm >/dev/null 2>&1 || packages="$packages npm"
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages; } \
        >"$tools/apt.log" 2>&1 || true
fi
kotlin=$tools/node_modules/kotlin-compiler
if [ ! -f "$kotlin/lib/kotlin-compiler.jar" ] && command -v npm >/dev/null 2>&1; then
    npm install --silent --no-audit --no-fund --prefix "$tools" kotlin-compiler@2.4.20 >"$tools/npm.log" 2>&1 || true
fi
if has_java && jna >/dev/null && [ -f "$kotlin/lib/kotlin-compiler.jar" ]; then
    "$here/generate.sh" kotlin "$work/kotlin"
    coroutines=$kotlin/lib/kotlinx-coroutines-core-jvm.jar
    libraries=$(jna):$coroutines
    find "$work/kotlin" "$here/check" -name '*.kt' >"$work/kotlin-sources"
    java -Xmx1g -cp "$kotlin/lib/kotlin-compiler.jar:$kotlin/lib/kotlin-stdlib.jar:$kotlin/lib/kotlin-reflect.jar:$coroutines:$kotlin/lib/annotations-13.0.jar:$kotlin/lib/kotlin-script-runtime.jar" \
        org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -jvm-target 17 -nowarn -no-stdlib -no-reflect \
        -cp "$kotlin/lib/kotlin-stdlib.jar:$libraries" -d "$work/kotlin-classes" @"$work/kotlin-sources"
    # JNA's own native half lies where Debian puts it.
    native=$(ls -d /usr/lib/*/jni 2>/dev/null | head -n 1)
    python3 "$here/check/against_server.py" kotlin "$work" java -Xmx256m -Djna.library.path="$work/kotlin" -Djna.boot.library.path="$native" \
        -cp "$work/kotlin-classes:$kotlin/lib/kotlin-stdlib.jar:$libraries" callout.phone.check.MainJobKt
else
    say "skipped: Kotlin needs a Java runtime, libjna-java and npm (see $tools)"
    skipped="$skipped Kotlin"
fi

say "Swift"
"$here/generate.sh" swift "$work/swift"
if [ ! -x "$tools/swift/bin/python" ]; then
    { python3 -m venv "$tools/swift" && "$tools/swift/bin/pip" install --quiet --disable-pip-version-check tree-sitter tree-sitter-swift; } \
        >"$tools/swift-install.log" 2>&1 || rm -rf "$tools/swift"
fi
parser=$tools/swift/bin/python
[ -x "$parser" ] || { parser=python3; say "skipped: Swift is not parsed, since tree-sitter could not be installed"; skipped="$skipped Swift-syntax"; }
"$parser" "$here/check/swift.py" "$work/swift"
say "Swift was not compiled: no compiler here"

if [ -n "$skipped" ]; then say "the bindings hold; skipped:$skipped"; else say "the bindings hold"; fi
