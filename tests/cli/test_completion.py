"""What `completion` prints makes a real shell complete commands, options, choices and files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.cli.captures import clean_environment

LINES = {
    "signing-proxy ver": {"verify"},
    "signing-proxy verify --expl": {"--explain"},
    "signing-proxy verify --format p": {"postman"},
    "signing-proxy cert lint qse": {"qsealc.pem"},
    "signing-proxy run --ca-directory sec": {"secrets/"},
}
MARK = "---"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program by its name on PATH, as an installation puts it there."""
    path = tmp_path_factory.mktemp("bin") / "signing-proxy"
    path.write_text(f"#!{sys.executable}\nfrom proxy.cli import main\nmain()\n")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def environ(program):
    return clean_environment(PATH=f"{program.parent}{os.pathsep}{os.environ['PATH']}", PYTHONDONTWRITEBYTECODE="1")


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "qsealc.pem").touch()
    (tmp_path / "secrets").mkdir()
    return tmp_path


def in_bash(lines):
    """COMPREPLY after a Tab; `compgen -f` is what bash itself does where the program says 'a file here'."""
    yield """source <(signing-proxy completion bash)
compopt() { [ "$2" = dirnames ] && COMPREPLY=($(compgen -d -S / -- "${COMP_WORDS[COMP_CWORD]}"))
            [ "$2" = default ] && COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")); }"""
    for line in lines:
        words = line.split(" ")
        yield (f"COMPREPLY=() COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}\n"
               f"_signing_proxy_completion signing-proxy {words[-1]} {words[-2]}\n"
               f"printf '%s\\n' {MARK} \"${{COMPREPLY[@]}}\"")


def in_fish(lines):
    yield "signing-proxy completion fish | source"
    for line in lines:
        yield f"echo {MARK}; complete --do-complete '{line}'"


def in_zsh(lines):
    """Without a line editor the functions that would show the completions print them."""
    yield """autoload -Uz compinit; compinit -u -D
compdef() { : }
_describe() { local -a found; eval "found=(\\"\\${$3[@]}\\")"; print -l -- "${found[@]%%:*}"; }
compadd() { local -a found; eval "found=(\\"\\${$5[@]}\\")"; print -l -- "${found[@]}"; }
_path_files() { if [[ "$1" = "-/" ]] { print -l -- ${~words[-1]}*(/) } else { print -l -- ${~words[-1]}* } }
eval "$(signing-proxy completion zsh)"
"""
    for line in lines:
        yield f"print -- {MARK}; words=({line}) CURRENT={len(line.split(' '))}; _signing_proxy_completion"


@pytest.mark.parametrize(("shell", "script"), [("bash", in_bash), ("zsh", in_zsh), ("fish", in_fish)])
def test_a_tab(shell, script, environ, directory):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}: apt-get install {shell}")
    done = subprocess.run([shell, "-c", "\n".join(script(LINES))], env=environ | {"HOME": str(directory)},
                          cwd=directory, capture_output=True, text=True, timeout=100, check=False)
    _, *answers = done.stdout.split(f"{MARK}\n")
    found = [{_with_slash(row.partition("\t")[0], directory) for row in answer.split("\n") if row}
             for answer in answers]
    assert dict(zip(LINES, found, strict=True)) == LINES, done.stderr


def _with_slash(word, directory):
    """zsh adds it only when it shows a directory."""
    return f"{word}/" if (directory / word).is_dir() and not word.endswith("/") else word


def test_another_shell_is_a_usage_error(call):
    result = call("completion", "tcsh")
    assert result.exit_code == 2
    assert result.stderr.startswith("signing-proxy: usage: ")


def test_a_tab_for_a_command_imports_no_command(environ):
    """Nobody waits for a Tab."""
    script = "import sys; from proxy.cli import main\ntry:\n    main()\nfinally:\n    print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                          env=environ | {"_SIGNING_PROXY_COMPLETE": "bash_complete", "COMP_WORDS": "signing-proxy v",
                                         "COMP_CWORD": "1"})
    assert done.stdout.startswith("plain,verify\n")
    assert not {name for name in done.stdout.split() if name.startswith("proxy.cli.")} - {
        "proxy.cli.program", "proxy.cli.failures", "proxy.cli.output"}
