#!/bin/sh
# Runs the parts of ./test, once everything is set up:  [lint|unit|process|api|browser|package …] [-- pytest options]
#
# The browser's tests have a pytest of their own, before the others: their library keeps an event loop running,
# and no other can be run in the same process. All others run under one pytest, the last to print its summary. Whatever starts
# processes runs in namespaces of its own (tests/harness/isolate.py): the product kills what it finds. The Debian package is
# built before them, where packages that uv has no copy of can be fetched.
#
# What failed is run once more, alone: real processes on a busy machine may wait too long for each other. What fails twice
# has failed; the first failure is printed all the same, and is to be looked into.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME

lint=
isolate=
browser=
package=
paths=

add_part() {
    case $1 in
        lint) lint=yes ;;
        unit) paths="$paths tests/unit" ;;
        process) isolate=yes; paths="$paths tests/harness tests/process" ;;
        api) isolate=yes; paths="$paths tests/api" ;;
        browser) browser=yes ;;
        package) package=yes ;;
        *) echo "usage: ./test [lint|unit|process|api|browser|package …] [-- pytest options]" >&2; exit 2 ;;
    esac
}

[ $# -gt 0 ] && [ "$1" != -- ] || for part in lint process api unit browser package; do add_part "$part"; done
while [ $# -gt 0 ] && [ "$1" != -- ]; do add_part "$1"; shift; done
[ $# -eq 0 ] || shift

existing=
for path in $paths; do [ ! -d "$path" ] || existing="$existing $path"; done

failed=
if [ -n "$lint" ]; then
    ruff check || failed="$failed ruff-check"
    ruff format --check || failed="$failed ruff-format"
    mypy || failed="$failed mypy"
    PATH=$PWD/.tools/node/bin:$PATH npm --prefix web run --silent check || failed="$failed typescript"
fi
if [ -n "$package" ]; then
    pytest -o cache_dir=.pytest_cache/package "$@" tests/package || failed="$failed package"
fi
if [ -n "$browser" ]; then
    run_browser() { python tests/harness/isolate.py pytest -o cache_dir=.pytest_cache/browser "$@" tests/browser; }
    run_browser "$@" || run_browser --lf --lfnf none "$@" || failed="$failed browser"
fi
if [ -n "$paths" ]; then
    [ -n "$existing" ] || { echo "no tests yet in:$paths" >&2; exit 1; }
    # Three workers, each in namespaces of its own: much of the time is waiting for real processes. Files go to them in the
    # order of the parts, so that the short ones of unit come last and all workers end together.
    workers='3*popen//python=python tests/harness/isolate.py python'
    spread="--dist loadfile --no-loadscope-reorder --tx"
    # shellcheck disable=SC2086 # paths are meant to be split
    if [ -n "$isolate" ]; then
        pytest $spread "$workers" $existing "$@" ||
            pytest --lf --lfnf none $spread "$workers" $existing "$@" || failed="$failed pytest"
    else
        pytest $existing "$@" || failed="$failed pytest"
    fi
fi
[ -z "${failed#" pytest"}" ] || echo "FAILED:$failed" >&2
[ -z "$failed" ]
