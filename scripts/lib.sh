# Shared by the scripts here: the build cache, prerequisites, the Python environment of the tests.

cache="${XDG_CACHE_HOME:-$HOME/.cache}/yagura"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
shared="$(cd .. && pwd)/shared"

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'yagura: %s\n' "$*" >&2; exit 1; }
# What is left out is said by name, so that a green run is not taken for more than it was.
skipped() { printf '\n!! SKIPPED: %s\n' "$*" >&2; }

need_rust() {
  command -v cargo >/dev/null || fail "Rust is missing: install it with rustup (https://rustup.rs), then run this again"
  command -v cc >/dev/null || fail "a C compiler is missing: install gcc or clang (Debian: apt-get install gcc), then run this again"
}

need_python() {
  command -v python3 >/dev/null || fail "Python 3 is missing: install it (Debian: apt-get install python3 python3-venv), then run this again"
}

# python_environment: a venv with what the tests need; its name holds the hash of the requirements.
python_environment() {
  need_python
  local hash
  hash="$(cksum <tests/requirements.txt | cut -d' ' -f1)"
  venv="$cache/venv-$hash"
  if [ ! -f "$venv/.complete" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "Python cannot make a virtual environment: install python3-venv, then run this again"
    "$venv/bin/pip" --quiet --disable-pip-version-check install -r tests/requirements.txt ||
      fail "the Python packages of tests/requirements.txt could not be installed: check the network and the package index, then run this again"
    touch "$venv/.complete"
  fi
}

# sarif_schema: the published schema of SARIF, out of the package of Microsoft's own matcher.
sarif_schema() {
  local package="@microsoft/jest-sarif@1.0.0-beta.0" folder="$cache/sarif"
  if [ ! -f "$folder/.complete" ]; then
    mkdir -p "$folder"
    (cd "$folder" && npm pack --silent "$package" >/dev/null && tar -xzf ./*.tgz) || return 1
    touch "$folder/.complete"
  fi
  echo "$folder/package/lib/schemas/sarif-2.1.0-rtm.5.json"
}

# need_chromium: Debian's chromium and its driver, installed when absent.
need_chromium() {
  if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then return; fi
  command -v apt-get >/dev/null ||
    fail "Chromium and chromedriver are missing: install both, then run this again"
  local sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo"
  say "installing Debian's chromium and chromium-driver"
  { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq chromium chromium-driver; } >/dev/null ||
    fail "Debian's packages chromium and chromium-driver could not be installed: install both by hand, then run this again"
}
