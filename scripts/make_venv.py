"""Makes the virtual environment; needs nothing but Python's standard library.

`make install` calls this with the folder and the requirements files, which carry hashes.
"""

import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)


def main() -> None:
    if sys.version_info < OLDEST:
        sys.exit(
            "Python {}.{} or newer is needed, and this is {}.{}. "
            "Name another one: make PYTHON=python3.12".format(*OLDEST, *sys.version_info)
        )
    folder = Path(sys.argv[1])
    requirements = [argument for name in sys.argv[2:] for argument in ("-r", name)]
    print(f"Installing requirements into {folder} ...", flush=True)
    if not _works(folder):
        done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=False)
        if done.returncode:
            sys.exit(
                f"{folder} could not be made. On Debian and Ubuntu venv is a package of its own: "
                "apt-get install python3-venv"
            )
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # The lists are complete: what they leave out is not looked for. Looking would, with some versions
    # of pip, stumble over an extra of which a newer version than the listed one has come out.
    options = ["--require-hashes", "--no-deps"]
    done = subprocess.run([*pip, "install", *options, *requirements], check=False)
    if done.returncode:
        sys.exit("The requirements could not be installed; pip says why above.")
    (folder / ".installed").touch()


def _works(folder: Path) -> bool:
    """Say whether an environment of this Python version is there already."""
    python = folder / "bin" / "python"
    if not python.exists():
        return False
    code = "import pip, sys; print(sys.version_info[:2])"
    answer = subprocess.run([str(python), "-c", code], check=False, capture_output=True, text=True)
    return answer.stdout.strip() == str(sys.version_info[:2])


if __name__ == "__main__":
    main()
