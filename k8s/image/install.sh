#!/bin/sh
# Installs qrpay for the image: the Dockerfile and `make image-check` both call it, so that what is
# checked is what is built.
#
#   install.sh packages LOCK VENV    what qrpay stands on, pinned by hash, into a virtual environment
#   install.sh qrpay SOURCE APP      qrpay itself, from its source, into a folder
#
# PYTHON names an interpreter with pip (default: python3); pip itself is not installed.
set -eu

PYTHON=${PYTHON:-python3}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1

# Bytecode that nobody looks behind: in an image no source is newer than what was made of it, and a
# read-only root takes none.
compile() {
    "$PYTHON" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$1"
}

install_packages() {
    "$PYTHON" -m venv --without-pip "$2"
    # Wheels only: a source package would run its own code here, and need a compiler.
    "$PYTHON" -m pip --python "$2/bin/python" install --quiet --no-deps --no-compile \
        --only-binary :all: --require-hashes -r "$1"
    # Commands that packages bring along, and what people activate an environment with.
    find "$2/bin" -type f -delete
    compile "$2/lib"
}

install_qrpay() {
    builder=$(mktemp -d)
    trap 'rm -rf "$builder"' EXIT
    "$PYTHON" -m venv --without-pip "$builder/venv"
    "$PYTHON" -m pip --python "$builder/venv/bin/python" install --quiet --no-deps --no-compile \
        --only-binary :all: --require-hashes -r "$1/k8s/image/build.lock"
    # A copy, since a build may write beside the source.
    mkdir "$builder/source"
    for part in pyproject.toml README.md chassis gateway wallet_svc payment_svc ledger_svc \
        barcode_svc protos; do
        cp -R "$1/$part" "$builder/source/"
    done
    find "$builder/source" -name __pycache__ -prune -exec rm -rf {} +
    "$PYTHON" -m pip --python "$builder/venv/bin/python" wheel --quiet --no-deps \
        --no-build-isolation --wheel-dir "$builder/dist" "$builder/source"
    "$PYTHON" -m pip install --quiet --no-deps --no-compile --no-index --target "$2" \
        "$builder"/dist/qrpay-*.whl
    # The `qrpay` command is for a person's machine and for the local stack.
    rm -rf "$2/bin"
    compile "$2"
}

case "${1:-}" in
packages) install_packages "$2" "$3" ;;
qrpay) install_qrpay "$2" "$3" ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
