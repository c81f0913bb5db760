#!/bin/sh
# Builds what is installed, into dist/:  packaging/build.sh wheel | deb
#
#   wheel   srt_router-VERSION-py3-none-any.whl, pure Python with the console inside
#   deb     srt-router_VERSION_ARCHITECTURE.deb: the wheel and the Python packages of uv.lock in /opt/srt-router, for the
#           Python of the Debian or Ubuntu it is built on
#
# Sets up what is missing as ./run does.
#
#   DIST=folder           where it goes instead
#   COMPRESSION=none      of the package: for a try, xz takes the most of the time
set -eu
root=$(dirname "$(dirname "$(readlink -f "$0")")")
cd "$root"
dist=${DIST:-dist}
build=src/srt_router/build.txt  # what `srt-router --version` says; never in a checkout
trap 'rm -f $build' EXIT
say() { printf 'build: %s\n' "$*" >&2; }

wheel() {
    sh scripts/setup.sh run
    rm -f "$dist"/srt_router-*.whl
    git describe --always --dirty --abbrev=12 >$build 2>/dev/null || date -u +%Y%m%dT%H%M%SZ >$build
    .tools/bin/uv build --quiet --wheel --out-dir "$dist"
    rm -f $build
    wheel=$(ls "$dist"/srt_router-*.whl)
    unzip -l "$wheel" 2>/dev/null | grep -q 'srt_router/console/index.html' ||
        /usr/bin/python3 -c 'import sys, zipfile; sys.exit("srt_router/console/index.html" not in zipfile.ZipFile(sys.argv[1]).namelist())' "$wheel" ||
        { say "the console is not in $wheel"; exit 1; }
    say "$wheel"
}

install_python_packages() {  # into $stage/opt/srt-router: what uv.lock says, with its hashes, and the wheel
    .tools/bin/uv venv --quiet --relocatable --python /usr/bin/python3 "$stage/opt/srt-router"
    .tools/bin/uv export --quiet --frozen --no-dev --no-emit-project --format requirements-txt >"$work/requirements.txt"
    for what in "--require-hashes -r $work/requirements.txt" "--no-deps $wheel"; do
        # shellcheck disable=SC2086 # words are meant to be split
        .tools/bin/uv pip install --quiet --link-mode copy --python "$stage/opt/srt-router/bin/python" $what
    done
    rm -f "$stage/opt/srt-router/.gitignore" "$stage/opt/srt-router/.lock"
    find "$stage/opt/srt-router" -path '*/srt_router-*/direct_url.json' -delete  # names a folder of the machine that builds
    find "$stage/opt/srt-router/bin" ! -type d ! -name 'python*' ! -name srt-router -delete  # others' commands
    find "$stage/opt/srt-router" -name tests -path '*/site-packages/numpy/*' -type d -prune -exec rm -rf {} +
    # compiled once, here: the user of the service cannot write there.
    "$stage/opt/srt-router/bin/python" -m compileall -q -j 0 \
        -s "$stage" "$stage/opt/srt-router/lib"
}

deb() {
    wheel
    version=$(.venv/bin/srt-router --version | cut -d ' ' -f 2)
    architecture=$(dpkg --print-architecture)
    python=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    next=${python%.*}.$((${python#*.} + 1))
    work=$(mktemp -d)
    trap 'rm -rf "$work" $build' EXIT
    stage=$work/stage
    mkdir -p "$stage/DEBIAN" "$stage/usr/bin" "$stage/etc/srt-router" "$stage/usr/lib/sysctl.d" \
        "$stage/usr/lib/systemd/system" "$stage/usr/share/man/man1" "$stage/usr/share/doc/srt-router" \
        "$stage/usr/share/bash-completion/completions" "$stage/usr/share/zsh/vendor-completions" \
        "$stage/usr/share/fish/vendor_completions.d"
    install_python_packages
    install -m 0755 packaging/debian/srt-router "$stage/usr/bin/srt-router"
    install -m 0640 packaging/srt-router.toml "$stage/etc/srt-router/srt-router.toml"
    install -m 0644 packaging/sysctl/60-srt-router.conf "$stage/usr/lib/sysctl.d/"
    cp packaging/systemd/*.service "$stage/usr/lib/systemd/system/"
    cp -r packaging/systemd packaging/prometheus packaging/grafana docs README.md CHANGELOG.md "$stage/usr/share/doc/srt-router/"
    cp LICENSE "$stage/usr/share/doc/srt-router/copyright"
    .venv/bin/python scripts/man_pages.py "$stage/usr/share/man/man1"
    gzip -9n "$stage"/usr/share/man/man1/*.1
    .venv/bin/srt-router completion bash >"$stage/usr/share/bash-completion/completions/srt-router"
    .venv/bin/srt-router completion zsh >"$stage/usr/share/zsh/vendor-completions/_srt-router"
    .venv/bin/srt-router completion fish >"$stage/usr/share/fish/vendor_completions.d/srt-router.fish"
    sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@PYTHON@/$python/; s/@NEXT_PYTHON@/$next~/" \
        -e "s/@SIZE@/$(du -sk "$stage" | cut -f 1)/" packaging/debian/control.in >"$stage/DEBIAN/control"
    for script in postinst prerm postrm; do install -m 0755 packaging/debian/$script "$stage/DEBIAN/"; done
    echo /etc/srt-router/srt-router.toml >"$stage/DEBIAN/conffiles"
    chmod -R u=rwX,go=rX "$stage/opt" "$stage/usr"
    dpkg-deb --root-owner-group "-Z${COMPRESSION:-xz}" --build "$stage" "$dist" >/dev/null
    say "$dist/srt-router_${version}_$architecture.deb"
}

case ${1:-} in
    wheel) wheel ;;
    deb) deb ;;
    *) echo "usage: packaging/build.sh wheel|deb" >&2; exit 2 ;;
esac
